"""Encodings on disk: files to share, and a cache so that each image is encoded once."""
