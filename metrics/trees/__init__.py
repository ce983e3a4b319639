"""Courses: their trees, what the trees require, and what is known of their activities."""
