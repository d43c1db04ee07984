"""All ways to make a map of a tile for a prompt, by name.

A new method is a function in one of the modules here and a line in its table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.evaluation.faithfulness.control_methods import CONTROL_METHODS
from napari_clip_heatmap.evaluation.faithfulness.gradient_methods import GRADIENT_METHODS
from napari_clip_heatmap.evaluation.faithfulness.token_methods import TOKEN_METHODS

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["FAITHFULNESS_METHODS", "METHODS", "MapMethod", "choose_methods"]

Explain = Callable[["ClipModel", Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class MapMethod:
    """One way to make a map.

    Parameters
    ----------
    name : str
    title : str
        For tables.
    explain : callable
        Model, preprocessed batch [batch, rgb, y, x] and one unit direction an image
        [batch, d_embed] to maps [batch, grid_y, grid_x], float. Higher: more for the prompt.
    """

    name: str
    title: str
    explain: Explain


def _dotted(tokens: Callable[[ClipModel, Tensor], Tensor]) -> Explain:
    def explain(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
        vectors = tokens(model, batch)
        return torch.einsum("byxd,bd->byx", vectors, directions.to(vectors))

    return explain


METHODS: dict[str, MapMethod] = {
    **{name: MapMethod(name, title, _dotted(f)) for name, (title, f) in TOKEN_METHODS.items()},
    **{name: MapMethod(name, title, f) for name, (title, f) in GRADIENT_METHODS.items()},
    **{name: MapMethod(name, title, f) for name, (title, f) in CONTROL_METHODS.items()},
}
"""Name to method."""

FAITHFULNESS_METHODS = (
    "exact",
    "random",
    "attention",
    "grad-cam",
    "gradient x attention",
    "legrad",
    "maskclip",
    "occlusion",
    "integrated gradients",
    "intensity",
)
"""What `measure_faithfulness` compares by default."""


def choose_methods(names: Iterable[str]) -> tuple[MapMethod, ...]:
    """Return the methods of these names, each once, in this order; "exact" first if it is there.

    Raises
    ------
    SettingsError
        There is none of a name, or no name.
    """
    wanted = tuple(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in METHODS]
    if unknown or not wanted:
        asked = ", ".join(map(repr, unknown)) or "none"
        raise SettingsError(
            f"the methods asked for are unknown: {asked}; accepted: {', '.join(METHODS)}"
        )
    return tuple(METHODS[name] for name in sorted(wanted, key=lambda name: name != "exact"))
