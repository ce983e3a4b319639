"""What comes from others: the bill of materials of a release, and what is known against it."""
