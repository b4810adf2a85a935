"""Changes that nobody reported, read from the data: a module a kind, each from frames to rows of CHANGES."""
