"""A whole image at once: encoded into one lattice, then scored for any prompts."""
