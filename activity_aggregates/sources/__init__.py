"""The source tables, and how deployed names and files become their columns."""
