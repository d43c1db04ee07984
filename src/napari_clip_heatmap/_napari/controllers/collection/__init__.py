"""Looking through encoded images: what the window of `views.collection` does."""
