"""What each kind of source brings to the aligned frame, for `kit.align`: columns by name, a value a bin."""
