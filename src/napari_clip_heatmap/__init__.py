"""Text-based decomposition of CLIP image embeddings as heatmaps, for napari, scripts and the shell."""
