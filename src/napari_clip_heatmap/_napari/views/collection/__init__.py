"""The window in which encoded images are looked through."""
