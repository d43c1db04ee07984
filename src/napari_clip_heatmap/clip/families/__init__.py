"""The image towers that can be decomposed: one module a family, each found by itself.

A family is a module of this folder with a function ``adapt(visual) -> Tower | None``: a tower, or
None where the module is of another family, or `UnsupportedModelError` where it is of this family
but has a part for which no exact decomposition is known here. It may have a function
``resize(visual, image_size)``: the same tower for images of another size, in modules of its own.
Adding a family touches no other file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from torch import nn

from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import SettingsError, UnsupportedModelError

__all__ = ["adapt", "resized"]


def adapt(visual: nn.Module) -> Tower:
    """Return an image tower as the decomposition needs to see it; nothing in it is changed.

    Raises
    ------
    UnsupportedModelError
        No family knows it, or one does and says what is missing.
    """
    names = sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))
    for name in names:
        tower: Tower | None = import_module(f"{__name__}.{name}").adapt(visual)
        if tower is not None:
            return tower
    kind = type(getattr(visual, "trunk", visual)).__name__  # open_clip wraps timm's trunks
    raise UnsupportedModelError(
        f"No exact decomposition is known here for an image tower of type {kind}. "
        f"Supported families: {', '.join(names)}. See docs/families.md for what each covers."
    )


def resized(visual: nn.Module, image_size: tuple[int, int]) -> nn.Module:
    """Return the same tower for images of another size; weights are shared, nothing is changed.

    Position embeddings are interpolated. The tower was not trained for that: its maps are exact
    still, of an embedding that may be worse.

    Parameters
    ----------
    visual : nn.Module
    image_size : (int, int)
        Height and width in pixels, whole patches both.

    Raises
    ------
    UnsupportedModelError
        The tower's family takes one size only, or cannot be decomposed at all.
    SettingsError
        The size is no number of whole patches.
    """
    tower = adapt(visual)
    if image_size == tower.image_size:
        return visual
    _require_whole_patches(image_size, tower.patch_size)
    family = import_module(f"{__name__}.{tower.family}")
    if not hasattr(family, "resize"):
        raise UnsupportedModelError(
            f"A tower of the family {tower.family!r} takes images of {tower.image_size} pixels "
            f"only; got image_size {image_size}."
        )
    other: nn.Module = family.resize(visual, image_size)
    return other


def _require_whole_patches(image_size: tuple[Any, ...], patch_size: tuple[int, int]) -> None:
    whole = len(image_size) == 2 and all(
        isinstance(size, int) and size >= patch and size % patch == 0
        for size, patch in zip(image_size, patch_size, strict=False)
    )
    if not whole:
        raise SettingsError(
            f"image_size is {image_size}; accepted: (height, width) in whole patches of "
            f"{patch_size} pixels"
        )
