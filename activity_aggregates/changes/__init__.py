"""Change sets: compared, staged, looked at."""
