"""Int8 within a stated loss of accuracy: as few ops as need be are lifted to float."""
