"""Two or more models, the same samples, one verification: each against its predecessor and against the first."""
