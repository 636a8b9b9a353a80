"""Opening a checkpoint safely; recognising its architecture."""
