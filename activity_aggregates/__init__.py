"""Completion numbers of a learning platform, computed with Spark and kept in Cassandra for those who show them."""

__version__ = "0.1.0"
