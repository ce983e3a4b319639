"""The Spark session, and results that are used more than once."""
