"""Tiles through a model on other machines: the workers of a Dask scheduler."""
