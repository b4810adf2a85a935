"""A third party's service, as the shop sees it: an address and a certificate."""
