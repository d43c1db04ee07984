"""Encodings on disk: to share, and kept so that an image is encoded once."""
