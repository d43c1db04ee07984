"""What a newcomer reads: short texts on each figure, and a tour of the dock."""
