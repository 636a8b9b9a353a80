"""The content-addressed store: artifacts by their hash, results by what they were made from."""
