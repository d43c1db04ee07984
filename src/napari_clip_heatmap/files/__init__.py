"""Images read from files, heatmaps written to files, and the record of how they were made."""
