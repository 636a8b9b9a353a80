"""The manifest of a zoo: TOML, checked at the edge, expanded to one entry a job."""
