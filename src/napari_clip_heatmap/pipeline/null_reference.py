"""The null reference: maps of nonsense prompts on an image, as a measure for others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.calibration import Calibration, find_calibration
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.presence import (
    ImageTokens,
    known_tokens,
    measure_tokens,
    spread_windows,
)
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
    tokens : ImageTokens
        What presence in this image is judged by.
    nonsense : float64 (nonsense, d_embed)
        Unit directions of `NONSENSE`.
    similarities : float64 (nonsense + neutral,)
        Cosine similarity of the image with each.
    apart : float
        Distance of nonsense prompts from the nearest other one, at the 0.9 quantile.
    calibration : Calibration, optional
        The limits for this model; None if it was never calibrated.
    """

    words: TextDirections
    embedding: NDArray[np.float64]
    covariance: NDArray[np.float64]
    tokens: ImageTokens
    nonsense: Directions
    similarities: NDArray[np.float64]
    apart: float
    calibration: Calibration | None = None

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
            Distance of the prompt's direction from that of the nearest nonsense prompt, in units
            of `apart`: a value up to 1 is typical of nonsense. The image plays no part.
        nearest : int (prompt,)
            Its index in `NONSENSE`.
        """
        distances = _distances(directions, self.nonsense)
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
    between = _distances(nonsense, nonsense)
    np.fill_diagonal(between, np.inf)
    apart = float(np.quantile(between.min(axis=1), _APART))
    return NullReference(
        words=words,
        embedding=embedding,
        covariance=token_covariance(encoding),
        tokens=measure_tokens(encoding, nonsense),
        nonsense=nonsense,
        similarities=np.concatenate([nonsense, neutral]) @ embedding,
        # A text tower with one answer for all texts has no distances to divide by.
        apart=apart or np.inf,
        calibration=find_calibration(encoding.model.get("weights_sha256")),
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


def _deviations(covariance: NDArray[np.float64], directions: Directions) -> NDArray[np.float64]:
    variances = np.einsum("td,de,te->t", directions, covariance, directions, optimize=True)
    deviations: NDArray[np.float64] = np.sqrt(np.maximum(variances, 0))
    return deviations


def _distances(one: Directions, other: Directions) -> NDArray[np.float64]:
    squared = (one**2).sum(axis=1)[:, np.newaxis] + (other**2).sum(axis=1) - 2 * one @ other.T
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
    windows = spread_windows(encoding, _WINDOWS, _SIDE)
    tokens = np.concatenate([known_tokens(encoding, cells) for cells in windows])
    if len(tokens) < 2:
        return np.zeros((tokens.shape[1], tokens.shape[1]))
    centered = tokens - tokens.mean(axis=0, dtype=np.float64)
    covariance: NDArray[np.float64] = centered.T @ centered / len(tokens)
    return covariance
