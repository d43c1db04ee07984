"""Images to try the plugin on, in napari's File > Open Sample. Nothing is downloaded."""

from __future__ import annotations

from typing import Any

__all__ = [
    "blood_smear",
    "drawn_scene",
    "fluorescence_channels",
    "fluorescent_nuclei",
    "stained_tissue",
    "z_stack",
]

LayerData = tuple[Any, dict[str, Any], str]


def drawn_scene() -> list[LayerData]:
    """Return a microscopy scene drawn by this package, uint8 (y, x, 3)."""
    from napari_clip_heatmap.scenes import sample_scene

    return [(sample_scene(), {"name": "microscopy scene"}, "image")]


def fluorescence_channels() -> list[LayerData]:
    """Return three channels, uint16 (y, x) each, as additive layers in blue, green and magenta."""
    from napari_clip_heatmap.scenes.sample import CHANNEL_NAMES, sample_channels

    colors = ("blue", "green", "magenta")
    return [
        (
            channel,
            {**_measured(2), "name": name, "colormap": color, "blending": "additive"},
            "image",
        )
        for channel, name, color in zip(sample_channels(), CHANNEL_NAMES, colors, strict=True)
    ]


def z_stack() -> list[LayerData]:
    """Return a z-stack of nuclei above filaments, uint16 (z, y, x)."""
    from napari_clip_heatmap.scenes.sample import sample_stack

    options = _measured(3)
    options["scale"] = [1.0, *options["scale"][1:]]
    return [(sample_stack(), {**options, "name": "z-stack"}, "image")]


def blood_smear() -> list[LayerData]:
    """Return a drawn blood smear, uint8 (y, x, 3)."""
    from napari_clip_heatmap.scenes.sample import sample_smears

    return [(sample_smears()[0], {**_measured(2), "name": "blood smear"}, "image")]


def fluorescent_nuclei() -> list[LayerData]:
    """Return nuclei in fluorescence, some of them dividing, uint8 (y, x): a real image, CC0.

    From the 2018 Data Science Bowl (BBBC038); the size of its pixels is not known.
    """
    from napari_clip_heatmap.files.sample_files import read_nuclei

    return [(read_nuclei(), {"name": "nuclei in fluorescence"}, "image")]


def stained_tissue() -> list[LayerData]:
    """Return colon tissue stained for FHL2 (immunohistochemistry), uint8 (y, x, 3).

    It ships with scikit-image; blue nuclei are counterstained with haematoxylin.
    """
    from skimage.data import immunohistochemistry

    return [(immunohistochemistry(), {"name": "stained tissue"}, "image")]


def _measured(n_axes: int) -> dict[str, Any]:
    """Return the scale and units of a drawn sample."""
    from napari_clip_heatmap.scenes.sample import SAMPLE_PIXEL_SIZE

    return {"scale": [SAMPLE_PIXEL_SIZE] * n_axes, "units": ["µm"] * n_axes}
