"""From bins of requests to episodes of harm: what moved, which of it is ill, what belongs together, since when."""
