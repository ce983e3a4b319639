"""What operators look at: the page of a run, with its plots, and the metrics for Prometheus."""
