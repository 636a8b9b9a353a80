"""One Report type; one file a rendering."""
