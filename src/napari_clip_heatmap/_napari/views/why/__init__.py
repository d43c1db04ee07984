"""The section that explains a map: a grid of layers and heads."""
