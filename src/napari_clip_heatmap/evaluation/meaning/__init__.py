"""What a map means, where the truth is known: is it there, and which score is safe."""
