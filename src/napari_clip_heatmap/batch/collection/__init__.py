"""Encoded images as a set that is looked through and searched."""
