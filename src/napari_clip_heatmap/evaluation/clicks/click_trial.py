"""Simulated clicks on one thing in one image: what the map of the example is worth after each.

Each round adds a positive place, drawn at random inside the thing, and a negative one: the highest
place of the current map that is at least half a patch outside of it, and a patch away from the
negative places so far. The first map is that of the words. This is what an attentive user does who
corrects the worst mistake that is on screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.imaging.resample import to_image_pixels
from napari_clip_heatmap.pipeline.examples.make_example import (
    Marked,
    PlaceDirections,
    measure_image,
)
from napari_clip_heatmap.pipeline.examples.places import read_places
from napari_clip_heatmap.pipeline.examples.recipe import TokenStatistics
from napari_clip_heatmap.pipeline.scoring import NEUTRAL_PROMPTS, TextDirections
from napari_clip_heatmap.scenes import CLASSES

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["COUNTS", "FEWEST", "ClickTrial", "DirectionRecipe"]

COUNTS = (1, 3, 5)
"""Clicks of either kind after which the map is measured."""

FEWEST = 50
"""Pixels inside and outside of a thing below which an AUROC means nothing."""

_PIXELS = 40_000
"""About so many pixels of an image are compared with the truth."""

Map = NDArray[np.float32]
Point = tuple[int, int]


class DirectionRecipe(Protocol):
    """A way from mean tokens to a direction; see `Recipe`."""

    def direction(
        self,
        positive: NDArray[np.float64],
        negative: NDArray[np.float64] | None,
        image: TokenStatistics,
    ) -> NDArray[np.float64]:
        """Return a unit direction."""


@dataclass(eq=False)
class ClickTrial:
    """One thing in one image.

    Parameters
    ----------
    encoding : Encoding
    name : str
        The word for the thing.
    mask : bool (y, x)
        Where it is.
    seed : int
        Decides where the positive clicks fall.
    """

    encoding: Encoding
    name: str
    mask: NDArray[np.bool_]
    seed: int
    _image: TokenStatistics = field(init=False)
    _far: NDArray[np.bool_] = field(init=False)
    _points: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        _, self._image = measure_image(self.encoding)
        far = distance_transform_edt(~self.mask) > self.patch / 2
        self._far = far if far.sum() >= FEWEST else ~self.mask
        inside = np.argwhere(self.mask)
        rng = np.random.default_rng(self.seed)
        self._points = inside[rng.integers(0, len(inside), max(COUNTS))]

    @property
    def patch(self) -> float:
        """Width of a patch, in image pixels."""
        axis = self.encoding.lattice.y
        return axis.patch * axis.image / axis.working

    def score(self, heat: Map) -> float:
        """Return the AUROC of a map against the mask."""
        height, width = self.mask.shape
        step = max(1, round((height * width / _PIXELS) ** 0.5))
        heat, mask = heat[::step, ::step], self.mask[::step, ::step]
        known = np.isfinite(heat)
        return auroc(heat[mask & known], heat[~mask & known])

    def words_map(self) -> Map:
        """Return the map of the words: relative among the drawn classes, if it is one of them.

        Other things are asked alone, relative to neutral prompts.
        """
        prompts = CLASSES if self.name in CLASSES else (self.name,)
        maps = self.encoding.heatmaps(prompts, "relative")
        heat: Map = maps.values[maps.prompts.index(self.name)]
        return heat

    def map_of(self, direction: NDArray[np.float64]) -> Map:
        """Return the map of a direction at image pixels, float32 (y, x)."""
        values = self.encoding.lattice_values(direction[np.newaxis].astype(np.float32))
        height, width = self.mask.shape
        heat: Map = to_image_pixels(
            values, self.encoding.lattice, slice(0, height), slice(0, width)
        )[0]
        return heat

    def directions(self, recipe: DirectionRecipe, *, words: bool) -> PlaceDirections:
        """Return how places become directions, with or without the words mixed in half and half.

        The words are contrasted with what they are compared with in `words_map`.
        """
        mixed = None
        if words:
            text = TextDirections(self.encoding.text)
            others = [each for each in CLASSES if each != self.name]
            rivals = others if self.name in CLASSES else NEUTRAL_PROMPTS
            against = text.directions((each,) for each in rivals).mean(axis=0)
            mixed = text.directions([(self.name,)])[0] - against
        return PlaceDirections(self._image, recipe, mixed, 0.5)  # type: ignore[arg-type]

    def rounds(
        self, recipe: DirectionRecipe, first: Map, *, words: bool = False
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield the number of clicks of either kind, and the direction after them.

        Parameters
        ----------
        recipe : DirectionRecipe
        first : float32 (y, x)
            The map in which the first worst mistake is looked for.
        words : bool
            Whether words are mixed in.
        """
        directions, heat = self.directions(recipe, words=words), first
        mistakes: list[Point] = []
        for count in range(1, max(COUNTS) + 1):
            mistakes += self._worst(heat, mistakes)
            direction = directions.mixed(
                self._marked(self._points[:count]), self._marked(np.array(mistakes))
            )
            yield count, direction
            heat = self.map_of(direction)

    def _marked(self, points: NDArray[np.intp]) -> Marked:
        places = read_places(self.encoding, points.reshape(-1, 2), "simulated")
        return Marked.at(places, self.encoding.token_map)

    def _worst(self, heat: Map, mistakes: list[Point]) -> list[Point]:
        """Return the highest place outside of the thing; none where no place is left."""
        left = np.where(self._far & np.isfinite(heat), heat, -np.inf)
        for y, x in mistakes:
            reach = int(self.patch)
            left[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = -np.inf
        if not np.isfinite(left).any():
            return []
        highest = np.unravel_index(int(left.argmax()), left.shape)
        return [(int(highest[0]), int(highest[1]))]
