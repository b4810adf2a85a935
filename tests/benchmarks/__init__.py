"""Measured, not tested: scores on public fault data and the tables that the kit looks up."""
