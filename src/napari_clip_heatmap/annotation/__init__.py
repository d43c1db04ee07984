"""From heatmaps and labels to objects, peaks, outlines and tables; no file format, no GUI."""
