"""One file a format; one Runner protocol."""
