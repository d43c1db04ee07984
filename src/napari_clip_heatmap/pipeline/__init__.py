"""A whole image: encoded once on one patch lattice, then scored for any prompts."""
