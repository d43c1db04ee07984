"""What nonsense does on an image: the measure that prompts are held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.text_directions import NEUTRAL_PROMPTS, Directions, TextDirections
from napari_clip_heatmap.prompting.templates import PLAIN

__all__ = [
    "MADE_UP",
    "NONSENSE",
    "STAND_IN",
    "NullReference",
    "correlations",
    "make_null_reference",
    "token_covariance",
]


_APART = 0.9
"""Quantile over nonsense prompts of how far each is from its nearest fellow. The largest would hang
on one prompt that happens to be odd."""

# The covariance of one image has few directions that matter, and in them gibberish may come to lie
# apart from other gibberish by accident. Up to a weight of 1, gibberish and the names of what is
# there overlap; from 2 on they do not, and beyond 4 little is gained (docs/honesty.md).
_ANY_IMAGE = 4.0
"""Weight of all directions alike beside that of the image's own covariance."""

_SAME = 1e-6
"""Difference of two cosines that rounding may make: a prompt is not above its own twin."""


@dataclass(frozen=True, eq=False)
class NullReference:
    """The maps of nonsense on one image, from one model.

    Maps are never made: all that is asked of them follows from the covariance of tokens.

    Parameters
    ----------
    words : TextDirections
        How texts become directions; the same for nonsense and for prompts.
    embedding : float64 (d_embed,)
        Of the image.
    covariance : float64 (d_embed, d_embed)
        Of the image's tokens.
    metric : float64 (d_embed, d_embed)
        The covariance over its trace, plus `_ANY_IMAGE` spread evenly over all directions: what
        this image shows, and what any image could.
    nonsense : float64 (nonsense, d_embed)
        Unit directions of `NONSENSE`.
    similarities : float64 (nonsense + neutral,)
        Cosine of the image with each.
    apart : float
        How far nonsense prompts are from their nearest fellows, at the 0.9 quantile.
    """

    words: TextDirections
    embedding: NDArray[np.float64]
    covariance: NDArray[np.float64]
    metric: NDArray[np.float64]
    nonsense: Directions
    similarities: NDArray[np.float64]
    apart: float

    def rank(self, similarities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of neutral and nonsense prompts that are less similar to the image."""
        below = self.similarities < similarities[:, np.newaxis] - _SAME
        rank: NDArray[np.float64] = below.mean(axis=1)
        return rank

    def dependence(self, directions: Directions) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return how far prompts are from all nonsense, and the nonsense that is nearest.

        Parameters
        ----------
        directions : float64 (prompt, d_embed)
            Of length 1.

        Returns
        -------
        dependence : float64 (prompt,)
            Deviation of the prompt's map from that of the nearest nonsense, in units of what
            nonsense prompts deviate from one another: up to 1, the prompt is like nonsense.
        nearest : int (prompt,)
            Which of `NONSENSE` that is.
        """
        distances = _distances(self.metric, directions, self.nonsense)
        return distances.min(axis=1) / self.apart, distances.argmin(axis=1)

    def residual_variance(self, directions: Directions) -> NDArray[np.float64]:
        """Return the share of each map's variance that no nonsense map explains, 0 to 1.

        What is left after the best fit of the nonsense map that fits best, (prompt,).
        """
        explained = correlations(self.covariance, directions, self.nonsense) ** 2
        left: NDArray[np.float64] = 1 - explained.max(axis=1)
        left[_deviations(self.covariance, directions) == 0] = 0
        return left


def make_null_reference(encoding: Encoding, templates: tuple[str, ...] = PLAIN) -> NullReference:
    """Score nonsense and neutral prompts on an image.

    No image tower is asked, and texts are encoded once per model.

    Parameters
    ----------
    encoding : Encoding
    templates : tuple of str
        Those of the prompts that are to be judged: nonsense is put into the same sentences.
    """
    words = TextDirections(encoding.text, templates)
    nonsense = words.directions((text,) for text in NONSENSE)
    # Neutral prompts are whole sentences.
    neutral = TextDirections(encoding.text).directions((text,) for text in NEUTRAL_PROMPTS)
    embedding = encoding.embedding.astype(np.float64)
    covariance = token_covariance(encoding)
    metric = _metric(covariance)
    between = _distances(metric, nonsense, nonsense)
    np.fill_diagonal(between, np.inf)
    apart = float(np.quantile(between.min(axis=1), _APART))
    return NullReference(
        words=words,
        embedding=embedding,
        covariance=covariance,
        metric=metric,
        nonsense=nonsense,
        similarities=np.concatenate([nonsense, neutral]) @ embedding,
        # A text tower that says the same of everything leaves nothing to divide by.
        apart=apart or np.inf,
    )


def correlations(
    covariance: NDArray[np.float64], one: Directions, other: Directions
) -> NDArray[np.float64]:
    """Return the correlation of each map of one set with each of another; 0 with a flat one."""
    scale = np.outer(_deviations(covariance, one), _deviations(covariance, other))
    products = one @ covariance @ other.T
    result: NDArray[np.float64] = np.divide(
        products, scale, out=np.zeros_like(products), where=scale > 0
    )
    return result.clip(-1, 1)


def _metric(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    n_dims, total = len(covariance), float(np.trace(covariance))
    shown = covariance / total if total > 0 else covariance
    metric: NDArray[np.float64] = shown + _ANY_IMAGE * np.eye(n_dims) / n_dims
    return metric


def _deviations(covariance: NDArray[np.float64], directions: Directions) -> NDArray[np.float64]:
    variances = np.einsum("td,de,te->t", directions, covariance, directions, optimize=True)
    deviations: NDArray[np.float64] = np.sqrt(np.maximum(variances, 0))
    return deviations


def _distances(
    metric: NDArray[np.float64], one: Directions, other: Directions
) -> NDArray[np.float64]:
    own, others = _deviations(metric, one) ** 2, _deviations(metric, other) ** 2
    squared = own[:, np.newaxis] + others - 2 * one @ metric @ other.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    return distances


STAND_IN = "wug"
"""Stands for every word that a model never met."""

MADE_UP = (
    "wug", "xv", "florb", "qxz", "kwijibo", "dax mimsy", "uiop vlk", "zorp blick mave",
    "tove gimble wabe brillig", "snark frabjous vorpal tulgey", "zzxqw kjvbn pwrtl",
    "hgfd mnbv lkjh poiu", "a photo of a slithe", "a picture of plim", "an image of a quonk",
    "there are raths here", "yellow borogove flumph", "outgrabe yellow snib drell trop",
)  # fmt: skip
"""Words that no language has: alone, together, and in sentences."""

# Chosen by `evaluation.choice.choose_nonsense` with the bundled model, so that no senseless order
# of words that name nothing is far from all of them. Nothing in them is particular to that model.
_SENSELESS = (
    "under an an an", "there a a an there", "with of of of there of", "are are are are of the",
    "under under under under", "are an under wug of of", "of there the there a of",
    "a wug there an", "are under wug under", "the", "are the the an are", "of are wug an",
    "here a here an the an", "there wug are a are under", "the under of of an of",
    "here there and the and", "a a there a", "an there wug", "a the under of wug there",
    "are are wug a", "a a under an", "under a are wug a", "an here an wug there there",
    "the are wug the of there", "of there an are are the", "with an an an a an",
    "there here under there the the", "an under wug a there are", "wug there there there here",
    "an are are wug", "wug the wug of the of", "are there the under an there", "an an wug an",
    "under wug there an an", "of under wug", "wug under of under wug under", "wug wug are are",
    "a there there wug there", "under with under are are are", "the here under are are are",
    "the an of", "a a an are an", "microscope micrograph microscope",
    "there an micrograph labelled a micrograph",
    "microscope microscopy image an there microscope",
    "image microscopy are wug micrograph under",
    "micrograph there microscopy the micrograph under", "an are wug are photo microscope",
    "microscope image wug", "micrograph image an", "microscope picture a picture image",
    "of microscope wug microscopy microscopy an",
    "there micrograph here microscopy microscopy an", "microscope are of wug microscope",
    "there of micrograph image image", "micrograph an photo under under",
    "micrograph a a there a microscope", "microscope wug image",
    "image there labeled labeled an image", "photo the the wug", "of a wug are microscope",
    "of microscope an picture an", "there labeled wug micrograph of an",
    "an wug there photo image", "are wug labeled microscope are there",
    "labeled labeled microscope labelled", "of an wug a micrograph", "a an picture micrograph",
    "image microscope an photo", "of wug an image", "wug micrograph micrograph an",
    "microscopy image wug a an picture", "microscope are", "wug under are a labeled an",
    "labeled an picture wug labeled under", "labelled wug wug the micrograph",
    "are under picture microscopy picture micrograph", "are there wug under microscope a",
)  # fmt: skip

NONSENSE = MADE_UP + _SENSELESS
"""Made-up words, and known words that name nothing in senseless order."""


_WINDOWS, _SIDE = 8, 8
"""Windows per axis and cells per window: of any lattice, at most 4096 cells are looked at."""


def token_covariance(encoding: Encoding) -> NDArray[np.float64]:
    """Return the covariance over patches of their tokens, (d_embed, d_embed).

    For directions ``s`` and ``t`` the covariance of their maps is ``s @ C @ t``. Of a large
    lattice, windows on a regular grid are looked at: every prompt at the cost of a few.

    Zero where the region holds no two patches that are known and valid.
    """
    basis = np.eye(encoding.token_map.shape[-1], dtype=np.float32)
    tokens = np.concatenate([_tokens(encoding, basis, cells) for cells in _windows(encoding)])
    if len(tokens) < 2:
        return np.zeros((len(basis), len(basis)))
    centred = tokens - tokens.mean(axis=0, dtype=np.float64)
    covariance: NDArray[np.float64] = centred.T @ centred / len(tokens)
    return covariance


def _windows(encoding: Encoding) -> Iterator[tuple[slice, slice]]:
    y, x = encoding.bounds
    for rows in _spread(y):
        for columns in _spread(x):
            yield rows, columns


def _spread(cells: slice) -> list[slice]:
    if cells.stop - cells.start <= _WINDOWS * _SIDE:
        return [cells]
    starts = np.linspace(cells.start, cells.stop - _SIDE, _WINDOWS).astype(int)
    return [slice(int(start), int(start) + _SIDE) for start in starts]


def _tokens(
    encoding: Encoding, basis: NDArray[np.float32], cells: tuple[slice, slice]
) -> NDArray[np.float32]:
    """Return the tokens of the cells that are known and valid, (cell, d_embed)."""
    values = encoding.lattice_values(basis, cells)
    known = np.isfinite(values).all(axis=0)
    y, x = (
        axis.cell_centres(each)
        for axis, each in zip((encoding.lattice.y, encoding.lattice.x), cells, strict=True)
    )
    valid = encoding.validity.read(y, x)
    if valid is not None:
        known &= valid
    return values[:, known].T
