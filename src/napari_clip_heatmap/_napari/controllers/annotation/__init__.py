"""Controllers of objects: outlines, layers, names by words."""
