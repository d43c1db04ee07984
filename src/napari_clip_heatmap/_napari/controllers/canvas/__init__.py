"""What the dock draws on the canvas besides the maps."""
