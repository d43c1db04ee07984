"""Model files from the Hugging Face hub: found, downloaded, or placed by hand."""
