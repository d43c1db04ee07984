"""The null reference: maps of nonsense prompts on an image, as a measure for others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.scoring import NEUTRAL_PROMPTS, Directions, TextDirections
from napari_clip_heatmap.prompting.language import PLAIN

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
"""Quantile over nonsense prompts of the distance to the nearest other one. The largest distance
would depend on a single odd prompt."""

# The covariance of one image has few directions that matter, in which one nonsense prompt may by
# accident be far from the others. Up to a weight of 1, nonsense and names of what is there overlap;
# from 2 on they do not, and beyond 4 little is gained (docs/honesty.md).
_ANY_IMAGE = 4.0
"""Weight of all directions equally, relative to the image's own covariance."""

_SAME = 1e-6
"""Difference of two cosines that may be rounding."""


@dataclass(frozen=True, eq=False)
class NullReference:
    """Statistics of the maps of nonsense prompts on one image.

    The maps themselves are never computed: the statistics follow from the covariance of tokens.

    Parameters
    ----------
    words : TextDirections
        How texts become directions, for nonsense and for prompts.
    embedding : float64 (d_embed,)
        Embedding of the image.
    covariance : float64 (d_embed, d_embed)
        Covariance of the image's tokens.
    metric : float64 (d_embed, d_embed)
        The covariance divided by its trace, plus `_ANY_IMAGE` times the identity divided by its
        trace: the directions of this image, and equally all others.
    nonsense : float64 (nonsense, d_embed)
        Unit directions of `NONSENSE`.
    similarities : float64 (nonsense + neutral,)
        Cosine similarity of the image with each.
    apart : float
        Distance of nonsense prompts from the nearest other one, at the 0.9 quantile.
    """

    words: TextDirections
    embedding: NDArray[np.float64]
    covariance: NDArray[np.float64]
    metric: NDArray[np.float64]
    nonsense: Directions
    similarities: NDArray[np.float64]
    apart: float

    def rank(self, similarities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the fraction of neutral and nonsense prompts less similar to the image."""
        below = self.similarities < similarities[:, np.newaxis] - _SAME
        rank: NDArray[np.float64] = below.mean(axis=1)
        return rank

    def dependence(self, directions: Directions) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return the distance of prompts from nonsense, and the nearest nonsense prompt.

        Parameters
        ----------
        directions : float64 (prompt, d_embed)
            Unit directions.

        Returns
        -------
        dependence : float64 (prompt,)
            Distance of the prompt's map from that of the nearest nonsense prompt, in units of
            `apart`: a value up to 1 is typical of nonsense.
        nearest : int (prompt,)
            Its index in `NONSENSE`.
        """
        distances = _distances(self.metric, directions, self.nonsense)
        return distances.min(axis=1) / self.apart, distances.argmin(axis=1)

    def residual_variance(self, directions: Directions) -> NDArray[np.float64]:
        """Return the fraction of each map's variance that no nonsense map explains, (prompt,).

        0 to 1: what remains after a linear fit of the best-fitting nonsense map.
        """
        explained = correlations(self.covariance, directions, self.nonsense) ** 2
        left: NDArray[np.float64] = 1 - explained.max(axis=1)
        left[_deviations(self.covariance, directions) == 0] = 0
        return left


def make_null_reference(encoding: Encoding, templates: tuple[str, ...] = PLAIN) -> NullReference:
    """Compare nonsense and neutral prompts with an image.

    The image tower is not needed, and texts are encoded once per model.

    Parameters
    ----------
    encoding : Encoding
    templates : tuple of str
        Those of the prompts to judge: nonsense is put into the same sentences.
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
        # A text tower with one answer for all texts has no distances to divide by.
        apart=apart or np.inf,
    )


def correlations(
    covariance: NDArray[np.float64], one: Directions, other: Directions
) -> NDArray[np.float64]:
    """Return the correlation of each map of one set with each of another; 0 for flat maps."""
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
"""Replaces every word that a model never learned."""

MADE_UP = (
    "wug", "xv", "florb", "qxz", "kwijibo", "dax mimsy", "uiop vlk", "zorp blick mave",
    "tove gimble wabe brillig", "snark frabjous vorpal tulgey", "zzxqw kjvbn pwrtl",
    "hgfd mnbv lkjh poiu", "a photo of a slithe", "a picture of plim", "an image of a quonk",
    "there are raths here", "yellow borogove flumph", "outgrabe yellow snib drell trop",
)  # fmt: skip
"""Words of no language: alone, together, and in sentences."""

# Chosen by `choose_null_prompts` with the bundled model, so that no senseless sequence of words is
# far from all of them. Nothing in them is specific to that model.
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
"""Made-up words, and known words that name nothing, in senseless order."""


_WINDOWS, _SIDE = 8, 8
"""Windows per axis and cells per window: at most 4096 cells of any lattice are read."""


def token_covariance(encoding: Encoding) -> NDArray[np.float64]:
    """Return the covariance over patches of their tokens, (d_embed, d_embed).

    For directions ``s`` and ``t`` the covariance of their maps is ``s @ C @ t``. A large lattice is
    sampled in windows on a regular grid.

    Zero if the region has fewer than two patches that are known and valid.
    """
    basis = np.eye(encoding.token_map.shape[-1], dtype=np.float32)
    tokens = np.concatenate([_tokens(encoding, basis, cells) for cells in _windows(encoding)])
    if len(tokens) < 2:
        return np.zeros((len(basis), len(basis)))
    centered = tokens - tokens.mean(axis=0, dtype=np.float64)
    covariance: NDArray[np.float64] = centered.T @ centered / len(tokens)
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
    """Return the tokens of the cells that are known and valid, float32 (cell, d_embed)."""
    values = encoding.lattice_values(basis, cells)
    known = np.isfinite(values).all(axis=0)
    y, x = (
        axis.cell_centers(each)
        for axis, each in zip((encoding.lattice.y, encoding.lattice.x), cells, strict=True)
    )
    valid = encoding.validity.read(y, x)
    if valid is not None:
        known &= valid
    return values[:, known].T
