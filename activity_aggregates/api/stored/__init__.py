"""What is read: the session, the statements, and stored values as Python has them."""
