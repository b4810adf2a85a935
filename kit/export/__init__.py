"""Share what was found: the self-contained page."""
