"""Objects found and named by words, compared with the true ones."""
