"""What is stored in Cassandra: target tables, ledger, lease, erased learners, quarantine, schema."""
