"""The contributions of all layers and heads to a map's value at one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import shorten

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.score_registry import Score

__all__ = ["Explanation", "HeadName", "head_label", "label_mask"]

HeadName = int | str
"""A layer or head as a user names it: 4, "L4", "H2", "L4H2"."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why the maps have the values they have at one place, as `explain` returns it.

    ``contributions`` summed over layers and heads, plus ``rest``, is ``value``.

    Parameters
    ----------
    prompts : tuple of str
    score : str
        Of the maps that are explained. A whole image's similarity is the same for every score.
    contributions : float32 (prompt, layer, head)
        Of each head of each layer to the value, cosine.
    parts : mapping of str to float32 (prompt,)
        What belongs to no head, by name: for a whole image the input and the MLP of each layer. A
        map is made of attention alone, so at a place nothing is left, unless the model was loaded
        with ``mlp_by_token``.
    whole : bool
        Whether the value is the whole image's similarity.
    tiles : int
        Tiles that the place lies in.
    n_pixels : int
        Image pixels over which the value is the mean.

    Examples
    --------
    >>> why = nch.explain(model, image, ["nuclei", "filaments"], at=(40, 52))
    >>> why.contributions.shape
    (2, 5, 8)
    >>> bool(abs(why.contributions.sum(axis=(1, 2)) + why.rest - why.value).max() < 1e-6)
    True
    """

    prompts: tuple[str, ...]
    score: Score
    contributions: NDArray[np.float32]
    parts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    whole: bool = False
    tiles: int = 1
    n_pixels: int = 1

    def __repr__(self) -> str:
        n_prompts, n_layers, n_heads = self.contributions.shape
        what = "whole image" if self.whole else f"pixels={self.n_pixels}"
        return (
            f"Explanation({what}, prompts={n_prompts}, layers={n_layers}, heads={n_heads}, "
            f"tiles={self.tiles})"
        )

    @property
    def rest(self) -> NDArray[np.float32]:
        """Sum of `parts`: what belongs to no head, float32 (prompt,)."""
        total = np.zeros(len(self.prompts))
        for part in self.parts.values():
            total += part
        return total.astype(np.float32)

    @property
    def value(self) -> NDArray[np.float32]:
        """The maps' value at the place, or the image's similarity, float32 (prompt,)."""
        heads = self.contributions.sum(axis=(1, 2), dtype=np.float64)
        value: NDArray[np.float32] = (heads + self.rest).astype(np.float32)
        return value

    @property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Labels by layer, then head: ``labels[4][2]`` is "L4H2"."""
        _, n_layers, n_heads = self.contributions.shape
        return tuple(
            tuple(head_label(layer, head) for head in range(n_heads)) for layer in range(n_layers)
        )

    def without(
        self,
        layers: Sequence[HeadName] | HeadName | None = None,
        heads: Sequence[HeadName] | HeadName | None = None,
    ) -> NDArray[np.float32]:
        """Return the value without some heads, float32 (prompt,): their direct effect alone.

        What later layers made of these heads' output is not taken back, and the norm of the
        embedding is left as it is.

        Parameters
        ----------
        layers, heads : int or str, or sequence of them
            ``heads=["L4H2", "L5H0"]``, ``layers=["L4"]``, or heads of these layers alone.

        Raises
        ------
        DecompositionError
            There is no such layer or head, or none is named.
        """
        chosen = label_mask(layers, heads, self.contributions.shape[1:])
        removed = self.contributions[:, chosen].sum(axis=1, dtype=np.float64)
        left: NDArray[np.float32] = (self.value - removed).astype(np.float32)
        return left

    def strongest(self, count: int = 5, prompt: int = 0) -> list[tuple[str, float]]:
        """Return the heads that contribute most, for or against, with their contributions.

        Parameters
        ----------
        count : int
        prompt : int
            Number of the prompt.

        Examples
        --------
        >>> [label for label, _ in why.strongest(2)]  # doctest: +SKIP
        ['L3H1', 'L3H6']
        """
        values = self.contributions[prompt]
        order = np.argsort(-np.abs(values), axis=None, kind="stable")[:count]
        places = zip(*np.unravel_index(order, values.shape), strict=True)
        return [(head_label(*map(int, at)), float(values[at])) for at in places]

    def text(self, count: int = 5) -> str:
        """Return a few lines that say what contributes most to each prompt's value."""
        lines = []
        for number, prompt in enumerate(self.prompts):
            heads = ", ".join(f"{name} {add:+.4f}" for name, add in self.strongest(count, number))
            rest = f", no head {self.rest[number]:+.4f}" if self.parts else ""
            lines.append(f"{shorten(prompt, 60)}: {self.value[number]:+.4f} = {heads}{rest}, ...")
        return "\n".join(lines)


def head_label(layer: int, head: int) -> str:
    """Return the label of a head, such as "L4H2"."""
    return f"L{layer}H{head}"


def label_mask(
    layers: Sequence[HeadName] | HeadName | None,
    heads: Sequence[HeadName] | HeadName | None,
    shape: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Return which heads are named, bool (layer, head); raises as `select_pairs` does."""
    from napari_clip_heatmap.core.selection import select_pairs

    chosen = np.zeros(shape, bool)
    for pair in select_pairs(layers, heads, n_layers=shape[0], n_heads=shape[1]):
        chosen[pair] = True
    return chosen
