"""From marked places to a direction: what separates their tokens from those of the image.

`RECIPE` was chosen by measurement: ``clip-heatmap evaluate --examples``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["RECIPE", "Recipe", "TokenStatistics", "mix_directions"]

Vector = NDArray[np.float64]

_ROUNDING = 1e-12
"""Variance of tokens, in units of their square, that comes from single precision alone."""


@dataclass(frozen=True, eq=False)
class TokenStatistics:
    """Mean and covariance of the tokens of an image.

    Parameters
    ----------
    mean : float64 (d_embed,)
    covariance : float64 (d_embed, d_embed)
    """

    mean: Vector
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, tokens: NDArray[np.floating]) -> TokenStatistics:
        """Measure tokens (patch, d_embed)."""
        wide = tokens.astype(np.float64)
        mean = wide.mean(axis=0)
        centered = wide - mean
        return cls(mean, centered.T @ centered / len(wide))

    @cached_property
    def axes(self) -> tuple[Vector, NDArray[np.float64]]:
        """Variances along the principal axes, and the axes in columns."""
        variances, axes = np.linalg.eigh(self.covariance)
        return np.maximum(variances, 0), axes

    def deviation(self, direction: Vector) -> float:
        """Return the standard deviation of a direction's map over the image."""
        return math.sqrt(max(float(direction @ self.covariance @ direction), 0.0))


@dataclass(frozen=True)
class Recipe:
    """How places become a direction: a difference of means, whitened by the image's tokens.

    ``direction = ((1 - shrink) C + shrink v I) ** -power @ (mean(positive) - reference)``, where
    ``C`` is the covariance of the image's tokens, ``v`` the mean of its diagonal, and ``reference``
    the mean token of the image, or that mixed with the mean of the negative places. With
    ``power=1`` it is the linear discriminant of the places against their image.

    Parameters
    ----------
    shrink : float
        0 whitens fully; 1 leaves the difference of means as it is.
    negative : float
        Weight of the negative places against the image in the reference, 0 to 1.
    power : float
        1 whitens, 0.5 half.
    """

    shrink: float
    negative: float
    power: float

    def __str__(self) -> str:
        return (
            f"whitened difference of means (shrink {self.shrink:g}, negative {self.negative:g}, "
            f"power {self.power:g})"
        )

    def direction(
        self, positive: Vector, negative: Vector | None, image: TokenStatistics
    ) -> Vector:
        """Return the unit direction of two mean tokens; zero if nothing separates them.

        Parameters
        ----------
        positive, negative : float64 (d_embed,)
            Mean tokens of the places; None if there are no negative ones.
        image : TokenStatistics
        """
        reference = image.mean
        if negative is not None:
            reference = (1 - self.negative) * image.mean + self.negative * negative
        variances, axes = image.axes
        level = float(variances.mean())
        if not level > _ROUNDING * float(image.mean @ image.mean):
            return np.zeros_like(positive)  # an image without any contrast
        shrunk = (1 - self.shrink) * variances / level + self.shrink
        return unit_or_zero(axes @ ((axes.T @ (positive - reference)) / shrunk**self.power))


RECIPE = Recipe(shrink=0.03, negative=0.25, power=0.5)
"""With more weight on them, few negative places turn a map against what is like them, the thing
itself included; with less, the mistake that a user clicked away hardly fades."""


def mix_directions(places: Vector, words: Vector, weight: float, image: TokenStatistics) -> Vector:
    """Return the unit direction of a weighted sum of two maps, each in units of its deviation.

    Parameters
    ----------
    places, words : float64 (d_embed,)
    weight : float
        Of the places, 0 to 1.
    image : TokenStatistics
    """
    scaled = [
        each / deviation if (deviation := image.deviation(each)) > 0 else np.zeros_like(each)
        for each in (places, words)
    ]
    return unit_or_zero(weight * scaled[0] + (1 - weight) * scaled[1])


def unit_or_zero(direction: Vector) -> Vector:
    """Return a direction scaled to length 1; zero if it has no length."""
    length = float(np.linalg.norm(direction))
    return direction / length if length > 0 else np.zeros_like(direction)
