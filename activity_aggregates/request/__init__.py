"""What a caller asks for: scopes, instants, backfills."""
