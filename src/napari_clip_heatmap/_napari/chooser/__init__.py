"""The dialog in which a model is chosen, downloaded, or opened from files."""
