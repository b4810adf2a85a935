"""Logs in a folder of any size: a first view from heads, tails and random blocks, then the bytes asked for."""
