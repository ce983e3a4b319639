"""How change sets reach Cassandra: encoded, batched, sent."""
