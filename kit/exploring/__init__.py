"""Looking into logs with no case and no configuration: a query line, and views that are asked where the data lives."""
