"""From pixels to what the model sees, and from the patch lattice back to pixels; no torch."""
