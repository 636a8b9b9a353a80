"""Where jobs run: one file an engine, one protocol for all."""
