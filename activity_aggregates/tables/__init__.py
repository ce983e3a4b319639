"""What each table is and how it is reached."""
