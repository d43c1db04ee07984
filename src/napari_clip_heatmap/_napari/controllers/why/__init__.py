"""What the section that explains a map does."""
