"""How the built-in nonsense was chosen: so that no other nonsense is far from all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.evaluation.gibberish import FUNCTION_WORDS, PICTURE_WORDS, shuffle
from napari_clip_heatmap.pipeline.null_reference import MADE_UP, STAND_IN
from napari_clip_heatmap.scenes.vocabulary import NAMES, TEMPLATES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["choose_null_prompts", "cover"]

_SEED = 7
_NAMELESS, _ALL = 60, 96
"""Number of prompts once words that name nothing are covered, and once words for pictures are."""
_MADE_UP_SHARES = (0.0, 0.0, 0.3, 0.6)
_FROM_NAMES = 0.85
"""Distance that a senseless order keeps from all that names something: in so small a model a few
come to lie beside a name by accident, and would make nonsense of it."""


def choose_null_prompts(model: ClipModel) -> tuple[str, ...]:
    """Return `MADE_UP`, and the senseless orders of known words that leave no other one alone.

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

    Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985: at most twice as
    far from its nearest as with the best choice.
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
    """Return distinct senseless orders of words, some with made-up ones among them."""
    orders: dict[str, None] = {}
    for _ in range(count):
        share = _MADE_UP_SHARES[int(rng.integers(len(_MADE_UP_SHARES)))]
        order = shuffle(rng, words, 1, 6).split()
        orders[" ".join(STAND_IN if rng.random() < share else word for word in order)] = None
    return tuple(order for order in orders if order.replace(STAND_IN, "").strip())


def _nameless(model: ClipModel, orders: Sequence[str]) -> tuple[str, ...]:
    """Return the orders that do not come to lie beside a name."""
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
