"""From napari layers to what the pipeline reads: planes, regions, sizes, sources."""
