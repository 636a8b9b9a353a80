"""One file a way to choose a tensor's range from a histogram of what it held."""
