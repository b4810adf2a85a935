"""How lines become templates: masking, folding of stack traces, the tree, the miner, for `kit.templates`."""
