"""Executes the case files: end-to-end expectations in YAML, on a real Cassandra."""
