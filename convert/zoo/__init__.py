"""Model zoos: a manifest of models, a job for each, run unattended on one machine or many, and a table of results."""
