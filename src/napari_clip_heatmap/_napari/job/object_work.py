"""From a result's heatmaps to objects, plane by plane; no Qt, no viewer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap._napari.annotation_state import ObjectRule, ObjectSettings
from napari_clip_heatmap.annotation.geometry import geometry_columns, read_pixel_size
from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.annotation.objects import (
    Objects,
    PromptMap,
    objects_of_map,
    objects_of_winners,
)
from napari_clip_heatmap.annotation.peaks import find_peaks
from napari_clip_heatmap.annotation.thresholds import learn_threshold
from napari_clip_heatmap.errors import Cancelled, ImageError, PromptError
from napari_clip_heatmap.imaging.resample import coarser
from napari_clip_heatmap.imaging.source import ImageSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap.pipeline.heatmaps import LazyHeatmaps
    from napari_clip_heatmap.pipeline.verdicts import PromptVerdict

__all__ = ["LARGEST_PLANE_PIXELS", "WINNERS", "ObjectRequest", "coarse_factor"]

Index = tuple[int, ...]

LARGEST_PLANE_PIXELS = 2**25
"""Pixels on which objects are found; a larger plane is taken at a fraction of its resolution,
which outlines that are interpolated between patches do not lose by."""

WINNERS = "winners"
"""Key of the objects of all prompts together."""


def coarse_factor(shape: tuple[int, int], most: int = LARGEST_PLANE_PIXELS) -> int:
    """Return how many image pixels make one along each axis, so that a plane has at most `most`."""
    factor = 1
    while (shape[0] // factor) * (shape[1] // factor) > most:
        factor *= 2
    return factor


@dataclass(frozen=True, eq=False)
class ObjectRequest:
    """Which objects are wanted.

    Parameters
    ----------
    result : HeatmapResult
    verdicts : tuple of PromptVerdict
        On each prompt's map; empty where they are not known.
    settings : ObjectSettings
    keys : tuple of str
        Rows whose objects are wanted; of winners all rows take part.
    planes : tuple of tuple of int
        Where.
    asked : HeatmapRequest, optional
        What the result is of; its pixels are read where outlines follow the image.
    pixel_size : (float, float), optional
    unit : str, optional
    most : int
        Pixels of a plane on which objects are found.
    """

    result: HeatmapResult
    verdicts: tuple[PromptVerdict, ...]
    settings: ObjectSettings
    keys: tuple[str, ...]
    planes: tuple[Index, ...]
    asked: HeatmapRequest | None = None
    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    most: int = LARGEST_PLANE_PIXELS

    @cached_property
    def factor(self) -> int:
        """Image pixels along each axis that are one pixel of the objects."""
        return coarse_factor(self.result.stack.lattice.image_shape, self.most)

    def prompt_of(self, key: str) -> str:
        """Return the prompt of a row."""
        return self.result.scoring.prompts[self.result.keys.index(key)]

    def prompt_map(self, key: str, index: Index) -> PromptMap:
        """Return the map of a row in a plane.

        Raises
        ------
        ImageError
            The plane has no heatmaps.
        """
        maps = self._maps(index)
        number = self.result.keys.index(key)
        one = slice(number, number + 1)
        return PromptMap(
            prompt=self.prompt_of(key),
            values=maps.window(factor=self.factor, maps=one)[0],
            lattice_values=maps.lattice_values[number],
            lattice=coarser(maps.lattice, self.factor),
            similarity=float(self.result.similarity[number]),
            verdict=str(self.verdicts[number].verdict) if self.verdicts else "",
            trust=str(self.verdicts[number].trust) if self.verdicts else "unknown",
        )

    @property
    def record(self) -> dict[str, Any]:
        """Where the objects come from, in values that JSON has."""
        return {
            "model": dict(self.result.tiling).get("model", {}),
            "score": self.result.scoring.score,
        }

    def find(self, stopped: Callable[[], bool] = lambda: False) -> dict[Index, dict[str, Objects]]:
        """Return the objects of each plane, by the key of their row or `WINNERS`.

        Raises
        ------
        ClipHeatmapError
            A setting is not accepted, or a plane has no heatmaps.
        """
        if not self.keys:
            raise PromptError("there is no prompt with a heatmap: type one, and run")
        found: dict[Index, dict[str, Objects]] = {}
        for index in self.planes:
            if stopped():
                raise Cancelled("objects were not made: cancelled")
            found[index] = self._find_in(index)
        return found

    def find_peaks(self, key: str, index: Index) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the peaks of a row's map in a plane.

        Returns
        -------
        positions : float64 (peak, 2)
            y and x in image pixels.
        values : float32 (peak,)
        """
        maps = self._maps(index)
        values = maps.lattice_values[self.result.keys.index(key)]
        limit = learn_threshold(values, self.settings.threshold_of(key))
        positions, heights, _ = find_peaks(values, maps.lattice, threshold=limit)
        return positions, heights

    def _pixels(self, index: Index) -> NDArray[np.float32] | None:
        """Return a plane in the colors that the model saw; None where maps have the outlines."""
        channels = next(
            (each.channels for each in getattr(self.asked, "planes", ()) if each.index == index), ()
        )
        if self.asked is None or not channels or not self.settings.by_image:
            return None
        height, width = (-(-n // self.factor) for n in self.result.stack.lattice.image_shape)
        source = ImageSource(channels, self.asked.view.appearance(channels), (height, width))
        return source.read(slice(0, height), slice(0, width))

    def _maps(self, index: Index) -> LazyHeatmaps:
        maps = self.result.stack.maps_at(index)
        if maps is None:
            raise ImageError(
                f"slice {', '.join(map(str, index))} has no heatmaps yet: run on it first, or "
                "choose slices: all"
            )
        return maps

    def _find_in(self, index: Index) -> dict[str, Objects]:
        settings = self.settings
        min_area = settings.min_area / self.factor**2
        if settings.rule is ObjectRule.WINNER:
            maps = [self.prompt_map(key, index) for key in self.result.keys]
            winners = objects_of_winners(
                maps, self.record, margin=settings.margin, min_area=min_area
            )
            return {WINNERS: self._measured(winners)}
        pixels = self._pixels(index)
        return {
            key: self._measured(
                objects_of_map(
                    self.prompt_map(key, index),
                    self.record,
                    threshold=settings.threshold_of(key),
                    min_area=min_area,
                    split=settings.split_method,
                    fill_holes=settings.fill_holes,
                    image=pixels,
                )
            )
            for key in self.keys
        }

    def _measured(self, objects: Objects) -> Objects:
        """Return objects whose table is in image pixels, and in the image's unit where known."""
        table, factor = objects.table, self.factor
        size = read_pixel_size(self.pixel_size, self.unit)
        centroid = np.stack([table["centroid_y"], table["centroid_x"]], axis=1)
        corners = np.stack([table[f"bbox_{name}"] for name in ("y0", "x0", "y1", "x1")], axis=1)
        height, width = self.result.stack.lattice.image_shape
        geometry = geometry_columns(
            table["area"] * factor**2,
            (centroid + 0.5) * factor - 0.5,
            np.minimum(corners * factor, [height, width, height, width]),
            size,
        )
        columns = {**table.columns, **geometry}
        order = ("label", "prompt", *geometry, *table.names)
        ordered = {name: columns[name] for name in dict.fromkeys(order)}
        return replace(objects, table=Table(ordered))
