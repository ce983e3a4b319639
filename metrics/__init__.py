"""The definitions of the metrics: pure functions from DataFrames to DataFrames, without session, clock or settings."""
