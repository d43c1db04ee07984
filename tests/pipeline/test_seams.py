"""Tiles must not show: with the bundled model, on a scene that is textured everywhere."""

from __future__ import annotations

import pytest

from napari_clip_heatmap.api import load_model

PROMPTS = ["nuclei", "filaments", "mitochondria", "background"]


@pytest.fixture(scope="module")
def demo():
    return load_model("demo", device="cpu")
