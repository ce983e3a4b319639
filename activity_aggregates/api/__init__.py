"""The read API: serves the aggregate tables over HTTP."""
