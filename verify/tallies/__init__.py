"""What is kept of an output while it is read batch by batch; nothing here grows with its values."""
