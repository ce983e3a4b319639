"""Faults of a real cluster while a run reads, compares and writes. `scripts/test soak` plays them."""
