"""A few words that an image, or a place of it, is made of: sparse and never negative (SpLiCE).

A vector of the joint space is written as a sum of word directions with weights from 0 up, few of
which are not 0: ``min |v - sum_w c_w d_w|^2 / 2 + penalty sum_w c_w, c >= 0`` (arXiv 2402.10376).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.pipeline.explanation.place import read_place
from napari_clip_heatmap.validation import integer

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["WordList", "descend", "list_words", "sparse_words", "words_of"]

_STEPS = 400
"""Passes over all words, at most."""

_CLOSE = 1e-7
"""Change of a weight, relative to the largest, at which the weights are final."""

_HALVINGS = 30
"""Penalties that are tried until a list has the number of words that was asked for."""


@dataclass(frozen=True)
class WordList:
    """Words with their weights, the heaviest first.

    Parameters
    ----------
    words : tuple of str
    weights : tuple of float
        Above 0: the words' directions times these sum to the nearest to the vector.
    cosine : float
        Of that sum with the vector: 1 where the words say it all.
    """

    words: tuple[str, ...]
    weights: tuple[float, ...]
    cosine: float


def words_of(
    encoding: Encoding, words: Sequence[str], *, at: Any = None, count: int = 8
) -> WordList:
    """Return a few words that a place of an encoded image is made of, or the whole image.

    Parameters
    ----------
    encoding : Encoding
    words : sequence of str
        To choose from.
    at : (int, int), bool array (y, x) or None
        A place, as `explain` takes it: what is there more than in the image on average. None: the
        whole image.
    count : int
        Words, at most.

    Raises
    ------
    SettingsError
        There are no words, or `at` is no place of the image.
    ImageError
        Nothing is known of the place.

    Examples
    --------
    >>> found = nch.words_of(encoding, ["nuclei", "filaments", "background"], at=(40, 52))
    >>> len(found.words) <= 3
    True
    """
    listed = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    if not listed:
        raise SettingsError("no words were given to choose from; give at least one")
    count = integer("count", count, 1, 10_000)
    return list_words(encoding, listed, encoding.text.encode(listed).double().numpy(), at, count)


def list_words(
    encoding: Encoding,
    words: Sequence[str],
    directions: NDArray[np.floating[Any]],
    at: Any,
    count: int,
) -> WordList:
    """Do what `words_of` says with words whose unit directions (word, d_embed) are known."""
    vector = encoding.embedding.astype(np.float64) if at is None else _at(encoding, at)
    length = float(np.linalg.norm(vector))
    if length == 0:
        return WordList((), (), 0.0)
    weights = sparse_words(vector / length, directions, count)
    order = [int(number) for number in np.argsort(-weights, kind="stable") if weights[number] > 0]
    total = weights @ directions
    size = float(np.linalg.norm(total))
    return WordList(
        words=tuple(words[number] for number in order),
        weights=tuple(float(weights[number]) for number in order),
        cosine=float(total @ vector / (size * length)) if size else 0.0,
    )


def sparse_words(
    vector: NDArray[np.floating[Any]], directions: NDArray[np.floating[Any]], count: int
) -> NDArray[np.float64]:
    """Return weights from 0 up, at most `count` of them above 0, float64 (word,).

    The smallest penalty that leaves so few words is found by halving; then the weights of these
    words are fitted without a penalty.

    Parameters
    ----------
    vector : float (d_embed,)
    directions : float (word, d_embed)
    count : int
    """
    from scipy.optimize import nnls

    along = np.asarray(directions, np.float64) @ vector
    gram = np.asarray(directions, np.float64) @ np.asarray(directions, np.float64).T
    weights = np.zeros(len(along))
    high = float(along.max(initial=0.0))
    if high <= 0:  # every word points away
        return weights
    low, chosen = 0.0, weights
    for _ in range(_HALVINGS):
        penalty = (low + high) / 2
        weights = descend(gram, along, penalty, weights)
        if np.count_nonzero(weights) > count:
            low = penalty
        else:
            high, chosen = penalty, weights
    picked = np.flatnonzero(chosen) if chosen.any() else np.array([int(along.argmax())])
    fitted = np.zeros(len(along))
    fitted[picked] = nnls(np.asarray(directions, np.float64)[picked].T, np.asarray(vector))[0]
    return fitted


def descend(
    gram: NDArray[np.float64],
    along: NDArray[np.float64],
    penalty: float,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weights for one penalty, by coordinate descent.

    Parameters
    ----------
    gram : float64 (word, word)
        Products of the directions with one another.
    along : float64 (word,)
        Products of the directions with the vector.
    penalty : float
    start : float64 (word,)
        Weights to start from; not changed.
    """
    weights = start.copy()
    residual = along - gram @ weights
    for _ in range(_STEPS):
        moved = 0.0
        for word in np.flatnonzero((weights > 0) | (residual > penalty)):
            own = gram[word, word]
            new = max(0.0, weights[word] + (residual[word] - penalty) / own) if own > 0 else 0.0
            step = new - weights[word]
            if step:
                weights[word] = new
                residual -= gram[word] * step
                moved = max(moved, abs(step))
        if moved <= _CLOSE * max(float(weights.max(initial=0.0)), _CLOSE):
            break
    return weights


def _at(encoding: Encoding, at: Any) -> NDArray[np.float64]:
    """Return the mean token of a place, minus the mean token of the image, float64 (d_embed,)."""
    place = read_place(at, encoding.image_shape)
    whole = slice(0, encoding.lattice.grid[0]), slice(0, encoding.lattice.grid[1])
    known = (encoding.accumulator.weights(*whole) > 1 - 1e-5) & encoding.touched
    found = place.weights(encoding.lattice, known, encoding.validity.read, encoding.region.inside)
    near = encoding.token_map[found.rows, found.columns].astype(np.float64)
    here: NDArray[np.float64] = np.einsum("yx,yxd->d", found.weights, near)
    mean: NDArray[np.float64] = encoding.token_map[known].mean(axis=0, dtype=np.float64)
    special: NDArray[np.float64] = here - mean
    return special
