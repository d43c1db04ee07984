"""The image towers that can be decomposed: one module a family, each found by itself.

A family is a module of this folder with a function ``adapt(visual) -> Tower | None``: a tower, or
None where the module is of another family, or `UnsupportedModelError` where it is of this family
but has a part for which no exact decomposition is known here. Adding one touches no other file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from torch import nn

from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["adapt"]


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
        f"Supported families: {', '.join(names)}. docs/families.md tells what each covers."
    )
