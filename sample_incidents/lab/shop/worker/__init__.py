"""Takes receipts from the queue and sends them."""
