"""A real Cassandra from its Maven artifacts, in processes of its own: for the demo, the tests and development."""
