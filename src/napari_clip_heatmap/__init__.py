"""Text-based decomposition of CLIP image embeddings as heatmaps: napari, Python and shell."""
