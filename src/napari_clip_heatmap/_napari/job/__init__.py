"""Background work: from a request to heatmaps; knows no Qt and no viewer."""
