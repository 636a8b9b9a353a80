"""Showing a model in a viewer that the user has: Model Explorer or Netron. Neither is a dependency."""
