"""How other libraries name and shape a CLIP's parts: one module a layout, each found by itself.

A layout is a module of this folder with

``MODEL_TYPES``
    The ``model_type`` of each ``config.json`` of the transformers library that it reads.
``open_clip_config(config, origin)``
    The same model's configuration as open_clip writes it.
``has_names(weights)``
    Whether tensors bear this layout's names.
``convert_weights(weights)``
    The tensors under open_clip's names and in its shapes. A name that the layout does not have is
    kept, for the model to refuse.

Adding a layout touches no other file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from torch import Tensor

from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["convert_weights", "open_clip_config"]


def open_clip_config(config: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """Return open_clip's configuration of the model that a transformers configuration describes.

    Raises
    ------
    UnsupportedModelError
        No layout knows its type, or open_clip cannot build it.
    ModelLoadError
        Its entries make no sense.
    """
    kind, known = config.get("model_type"), []
    for layout in _layouts():
        if kind in layout.MODEL_TYPES:
            found: dict[str, Any] = layout.open_clip_config(config, origin)
            return found
        known += layout.MODEL_TYPES
    raise UnsupportedModelError(
        f"{origin} describes a model of type {kind!r}. Of the transformers library's folders, "
        f"types {', '.join(map(repr, sorted(known)))} are read; others need open_clip's format."
    )


def convert_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint's tensors under open_clip's names; as they are, if none is another's.

    Raises
    ------
    ModelLoadError
        A part is missing, or has a shape that does not fit the others.
    """
    for layout in _layouts():
        if layout.has_names(weights):
            converted: dict[str, Tensor] = layout.convert_weights(weights)
            return converted
    return weights


def _layouts() -> Iterator[Any]:
    for found in sorted(iter_modules(__path__), key=lambda found: found.name):
        if not found.name.startswith("_"):
            yield import_module(f"{__name__}.{found.name}")
