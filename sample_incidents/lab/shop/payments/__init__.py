"""Charges cards, after the third party `fraud-check` has agreed."""
