"""What a person sees who sits before a terminal; pipes, logs and schedulers get plain lines, and none of this."""
