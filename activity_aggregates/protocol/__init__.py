"""A run under way and its place among others: what it is asked for, its record, its steps, the order of runs."""
