"""Channels-last layout, carried by every value during lowering."""
