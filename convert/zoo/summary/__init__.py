"""What a run of a zoo came to: one ``ZooReport``, one file a rendering."""
