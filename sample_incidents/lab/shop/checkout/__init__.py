"""The shop's front service: catalogue, orders, cart, payment."""
