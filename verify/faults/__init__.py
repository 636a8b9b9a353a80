"""Faults that are put into copies of a model, and whether ``verify`` sees them."""
