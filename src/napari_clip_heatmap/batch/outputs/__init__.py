"""What a job writes of an image: one module a kind of output, named after it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget

__all__ = ["output_files", "outputs_of"]

_IN_STORE = frozenset(("maps", "labels"))
"""Kinds that an OME-Zarr store holds together."""


def outputs_of(target: OutputTarget, kinds: tuple[str, ...]) -> list[ImageOutput]:
    """Return the writers of some kinds of output of one image."""
    return [module(target) for module in _classes(target, kinds)]


def output_files(target: OutputTarget, kinds: tuple[str, ...]) -> list[str]:
    """Return the names of all files and folders that some kinds of output will be."""
    return [name for each in _classes(target, kinds) for name in each.files(target)]


def _classes(target: OutputTarget, kinds: tuple[str, ...]) -> list[type[ImageOutput]]:
    names = [
        "store" if target.settings.format == "ome-zarr" and kind in _IN_STORE else kind
        for kind in kinds
    ]
    found = []
    for name in dict.fromkeys(names):
        output: type[ImageOutput] = import_module(
            f"{__name__}.{name.replace('-', '_')}_output"
        ).OUTPUT
        found.append(output)
    return found
