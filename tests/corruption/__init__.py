"""Stored tables that somebody has damaged, and whether the checkers see all of it and nothing else."""
