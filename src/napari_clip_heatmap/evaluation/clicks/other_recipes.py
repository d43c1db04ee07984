"""Recipes for examples that were measured against the one that is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.examples.recipe import (
    RECIPE,
    Recipe,
    TokenStatistics,
    unit_or_zero,
)

if TYPE_CHECKING:
    from napari_clip_heatmap.evaluation.clicks.click_trial import DirectionRecipe

__all__ = ["RECIPES", "MeanToken", "RidgeProbe"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class MeanToken:
    """The mean token of the positive places, as it is; negative places do not count."""

    def direction(
        self, positive: Vector, negative: Vector | None, image: TokenStatistics
    ) -> Vector:
        """Return the unit mean."""
        return unit_or_zero(positive)


@dataclass(frozen=True)
class RidgeProbe:
    """Ridge regression on the lattice: places against negative places and the whole image.

    Positive places are +1, negative places and all patches of the image -1, each of the three with
    the same total weight.

    Parameters
    ----------
    ridge : float
        Penalty, in units of the mean variance of the image's tokens.
    """

    ridge: float

    def direction(
        self, positive: Vector, negative: Vector | None, image: TokenStatistics
    ) -> Vector:
        """Return the unit direction of the regression's weights."""
        groups = [(positive, 1.0), (image.mean, -1.0)]
        if negative is not None:
            groups.append((negative, -1.0))
        means = np.stack([mean for mean, _ in groups])
        signs = np.array([sign for _, sign in groups])
        centered, target = means - means.mean(axis=0), signs - signs.mean()
        scatter = (centered.T @ centered + image.covariance) / len(groups)
        variance = float(np.trace(image.covariance)) / len(image.mean)
        scatter += self.ridge * variance * np.eye(len(image.mean))
        return unit_or_zero(np.linalg.solve(scatter, centered.T @ target))


RECIPES: Mapping[str, DirectionRecipe] = {
    "mean of the places": MeanToken(),
    "difference of means": Recipe(shrink=1.0, negative=0.5, power=1.0),
    "whitened, shrink 0.3": Recipe(shrink=0.3, negative=0.5, power=1.0),
    "half whitened, shrink 0.3": Recipe(shrink=0.3, negative=0.5, power=0.5),
    "half whitened, negative 0.5": Recipe(shrink=0.03, negative=0.5, power=0.5),
    "half whitened, negative 0.1": Recipe(shrink=0.03, negative=0.1, power=0.5),
    "ridge probe, 1": RidgeProbe(1.0),
    "ridge probe, 3": RidgeProbe(3.0),
    "used": RECIPE,
}
"""Recipes by what they are called in the report."""
