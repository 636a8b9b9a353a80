"""Knows what a model is, runs it, compares it. Imports no sibling package."""
