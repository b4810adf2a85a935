"""Recorded incidents, and the lab that records them."""
