"""Corrections of what rounding to int8 does, one file a method: paper and equation are cited there."""
