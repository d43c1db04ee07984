"""How the built-in nonsense prompts were chosen: so that no nonsense is far from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.evaluation.gibberish import FUNCTION_WORDS, PICTURE_WORDS, shuffle
from napari_clip_heatmap.pipeline.nonsense import MADE_UP, STAND_IN
from napari_clip_heatmap.scenes.vocabulary import NAMES, TEMPLATES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["choose_null_prompts", "cover"]

_SEED = 7
_NAMELESS, _ALL = 60, 96
"""Number of prompts after covering words that name nothing, and after words for pictures."""
_MADE_UP_FRACTIONS = (0.0, 0.0, 0.3, 0.6)
_FROM_NAMES = 0.85
"""Least distance of a senseless sequence from every name: in so small a model a few are close to a
name by accident, and would turn it into nonsense."""


def choose_null_prompts(model: ClipModel) -> tuple[str, ...]:
    """Return `MADE_UP` and senseless sequences of known words that cover all others.

    With the bundled model this gives `NONSENSE`.
    """
    rng = np.random.default_rng(_SEED)
    nameless = _orders(rng, 8000, FUNCTION_WORDS)
    pictures = _orders(rng, 10000, FUNCTION_WORDS * 3 + PICTURE_WORDS * 2)
    chosen = cover(model, MADE_UP, _nameless(model, nameless), _NAMELESS)
    return cover(model, chosen, _nameless(model, pictures), _ALL)


def cover(
    model: ClipModel, chosen: Sequence[str], candidates: Sequence[str], total: int
) -> tuple[str, ...]:
    """Add the candidate that is farthest from all chosen so far, until there are ``total``.

    Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985: the largest
    distance to the nearest one is at most twice that of the best choice.
    """
    directions = _encode(model, candidates)
    distance = _squared(directions, _encode(model, chosen)).min(axis=1)
    every = list(chosen)
    while len(every) < total:
        farthest = int(distance.argmax())
        every.append(candidates[farthest])
        distance = np.minimum(distance, _squared(directions, directions[[farthest]])[:, 0])
    return tuple(every)


def _orders(rng: np.random.Generator, count: int, words: Sequence[str]) -> tuple[str, ...]:
    """Return distinct senseless sequences of words, some with made-up words among them."""
    orders: dict[str, None] = {}
    for _ in range(count):
        fraction = _MADE_UP_FRACTIONS[int(rng.integers(len(_MADE_UP_FRACTIONS)))]
        order = shuffle(rng, words, 1, 6).split()
        orders[" ".join(STAND_IN if rng.random() < fraction else word for word in order)] = None
    return tuple(order for order in orders if order.replace(STAND_IN, "").strip())


def _nameless(model: ClipModel, orders: Sequence[str]) -> tuple[str, ...]:
    """Return the sequences that are not close to a name."""
    named = [
        sentence.format(name)
        for names in NAMES.values()
        for name in names
        for sentence in TEMPLATES
    ]
    nearest = _squared(_encode(model, orders), _encode(model, named)).min(axis=1)
    return tuple(
        order for order, squared in zip(orders, nearest, strict=True) if squared >= _FROM_NAMES**2
    )


def _encode(model: ClipModel, prompts: Sequence[str]) -> NDArray[np.float64]:
    directions: NDArray[np.float64] = model.encode_text(prompts).double().numpy()
    return directions


def _squared(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return squared distances between unit directions, (one, other)."""
    return np.maximum(2 - 2 * one @ other.T, 0)
