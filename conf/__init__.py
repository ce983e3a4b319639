"""Settings with their defaults, platforms, schema, and what logs: data of the package."""
