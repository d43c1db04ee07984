"""The prompt table, and what it does to layers: live maps, solo, cursor, verdicts."""
