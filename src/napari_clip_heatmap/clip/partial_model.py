"""A model of which only some layers and heads count in the maps."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakMethod

import torch
from torch import Tensor

from napari_clip_heatmap.clip.model import ClipModel, ConventionName
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import TokenMap

__all__ = ["PartialModel"]


class PartialModel(ClipModel):
    """A `ClipModel` whose token map is the contribution of some layers and heads.

    The embedding of an image, and so its similarity to prompts, stays that of the whole model:
    what the others contribute is in `TokenMap.rest`.

    Parameters
    ----------
    model : ClipModel
        Its weights are used, not copied.
    layers, heads : sequence of int or str, optional
        As `decompose` takes them; None means all.

    Raises
    ------
    DecompositionError
        There is no such layer or head.

    Examples
    --------
    >>> late = PartialModel(model, layers=["L4", "L5"])
    >>> nch.encode(late, image).heatmaps(["nuclei", "filaments"]).values.shape
    (2, 96, 96)
    """

    def __init__(
        self,
        model: ClipModel,
        layers: Sequence[int | str] | None = None,
        heads: Sequence[int | str] | None = None,
    ) -> None:
        select(layers, heads, n_layers=model.n_layers, n_heads=model.n_heads)
        vars(self).update(vars(model))
        self._layers, self._heads = layers, heads
        self.text.on_device_failure = WeakMethod(self.fall_back_to_cpu)

    def token_map(self, batch: Tensor, *, convention: ConventionName = "reference") -> TokenMap:
        """Return the contribution of each patch through the chosen layers and heads."""
        parts = self.decompose(batch, layers=self._layers, heads=self._heads, convention=convention)
        height, width = self.grid
        patches = parts.attention[:, :, -height * width :].sum(dim=(1, 3))
        tokens = patches.reshape(len(batch), height, width, -1)
        norm = torch.linalg.vector_norm(parts.representation, dim=-1, keepdim=True)
        rest = parts.representation / norm - tokens.sum(dim=(1, 2))
        return TokenMap(tokens, parts.representation, rest)

    def describe(self) -> dict[str, object]:
        """Return the provenance of the model's results, with the chosen layers and heads."""
        return {
            **super().describe(),
            "layers": None if self._layers is None else list(self._layers),
            "heads": None if self._heads is None else list(self._heads),
        }
