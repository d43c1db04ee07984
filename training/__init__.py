"""How the bundled model is made: drawn scenes, captions, contrastive training. Not installed."""
