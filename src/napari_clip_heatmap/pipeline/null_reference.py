"""What nonsense does on an image: the measure that prompts are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.directions import Wording
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.neutral import NEUTRAL_PROMPTS
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.pipeline.spread import token_covariance
from napari_clip_heatmap.prompting.templates import PLAIN

__all__ = ["Yardstick", "correlations", "make_yardstick"]

_Directions = NDArray[np.float64]

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
class Yardstick:
    """The maps of nonsense on one image, from one model.

    Maps are never made: all that is asked of them follows from the covariance of tokens.

    Parameters
    ----------
    wording : Wording
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

    wording: Wording
    embedding: NDArray[np.float64]
    covariance: NDArray[np.float64]
    metric: NDArray[np.float64]
    nonsense: _Directions
    similarities: NDArray[np.float64]
    apart: float

    def rank(self, similarities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of neutral and nonsense prompts that are less similar to the image."""
        below = self.similarities < similarities[:, np.newaxis] - _SAME
        rank: NDArray[np.float64] = below.mean(axis=1)
        return rank

    def dependence(self, directions: _Directions) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
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

    def own_variance(self, directions: _Directions) -> NDArray[np.float64]:
        """Return the share of each map's variance that no nonsense map explains, 0 to 1.

        What is left after the best fit of the nonsense map that fits best, (prompt,).
        """
        explained = correlations(self.covariance, directions, self.nonsense) ** 2
        left: NDArray[np.float64] = 1 - explained.max(axis=1)
        left[_deviations(self.covariance, directions) == 0] = 0
        return left


def make_yardstick(encoding: Encoding, templates: tuple[str, ...] = PLAIN) -> Yardstick:
    """Score nonsense and neutral prompts on an image.

    No image tower is asked, and texts are encoded once per model.

    Parameters
    ----------
    encoding : Encoding
    templates : tuple of str
        Those of the prompts that are to be judged: nonsense is put into the same sentences.
    """
    wording = Wording(encoding.text, templates)
    nonsense = wording.directions((text,) for text in NONSENSE)
    # Neutral prompts are whole sentences.
    neutral = Wording(encoding.text).directions((text,) for text in NEUTRAL_PROMPTS)
    embedding = encoding.embedding.astype(np.float64)
    covariance = token_covariance(encoding)
    metric = _metric(covariance)
    between = _distances(metric, nonsense, nonsense)
    np.fill_diagonal(between, np.inf)
    apart = float(np.quantile(between.min(axis=1), _APART))
    return Yardstick(
        wording=wording,
        embedding=embedding,
        covariance=covariance,
        metric=metric,
        nonsense=nonsense,
        similarities=np.concatenate([nonsense, neutral]) @ embedding,
        # A text tower that says the same of everything leaves nothing to divide by.
        apart=apart or np.inf,
    )


def correlations(
    covariance: NDArray[np.float64], one: _Directions, other: _Directions
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


def _deviations(covariance: NDArray[np.float64], directions: _Directions) -> NDArray[np.float64]:
    variances = np.einsum("td,de,te->t", directions, covariance, directions, optimize=True)
    deviations: NDArray[np.float64] = np.sqrt(np.maximum(variances, 0))
    return deviations


def _distances(
    metric: NDArray[np.float64], one: _Directions, other: _Directions
) -> NDArray[np.float64]:
    own, others = _deviations(metric, one) ** 2, _deviations(metric, other) ** 2
    squared = own[:, np.newaxis] + others - 2 * one @ metric @ other.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    return distances
