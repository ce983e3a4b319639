"""What others watch the runs by: metrics for Prometheus and events of lineage."""
