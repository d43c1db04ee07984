"""Model files from the Hugging Face hub: find them, download them, or place them by hand."""
