"""The evidence bundle: a case as a BagIt bag that anyone can check, offline, years later."""
