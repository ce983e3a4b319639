"""One file per command: they read, call and write, and compute nothing themselves."""
