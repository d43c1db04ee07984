"""Images to try the plugin on, in napari's File > Open Sample. Nothing is downloaded."""

from __future__ import annotations

from typing import Any

__all__ = ["drawn_scene", "stained_tissue"]

LayerData = tuple[Any, dict[str, Any], str]


def drawn_scene() -> list[LayerData]:
    """Return a microscopy scene drawn by this package, uint8 (y, x, 3)."""
    from napari_clip_heatmap.scenes import sample_scene

    return [(sample_scene(), {"name": "microscopy scene"}, "image")]


def stained_tissue() -> list[LayerData]:
    """Return colon tissue stained for FHL2 (immunohistochemistry), uint8 (y, x, 3).

    It ships with scikit-image; blue nuclei are counterstained with haematoxylin.
    """
    from skimage.data import immunohistochemistry

    return [(immunohistochemistry(), {"name": "stained tissue"}, "image")]
