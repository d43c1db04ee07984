"""What napari's File > Open and drag and drop make of files that this package writes."""
