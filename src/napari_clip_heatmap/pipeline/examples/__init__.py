"""Examples: directions made from places in an image."""
