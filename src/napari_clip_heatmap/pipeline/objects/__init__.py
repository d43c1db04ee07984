"""Objects of heatmaps, and words for objects that exist already."""
