"""Heatmaps to objects, winners and peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.objects import (
    Objects,
    PromptMap,
    check_margin,
    objects_of_map,
    objects_of_winners,
    peaks_of_map,
)
from napari_clip_heatmap.annotation.peaks import Peaks
from napari_clip_heatmap.annotation.segmentation import winning_prompt
from napari_clip_heatmap.annotation.thresholds import Threshold
from napari_clip_heatmap.errors import PromptError

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.verdicts import PromptVerdict

__all__ = ["HeatmapObjects"]


class _Maps(Protocol):
    """What `Heatmaps` has."""

    @property
    def prompts(self) -> tuple[str, ...]: ...
    @property
    def score(self) -> str: ...
    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def lattice_values(self) -> NDArray[np.float32]: ...
    @property
    def similarity(self) -> NDArray[np.float32]: ...
    @property
    def checks(self) -> tuple[PromptVerdict, ...]: ...
    @property
    def encoding(self) -> Encoding: ...


class HeatmapObjects:
    """What `Heatmaps` can be turned into."""

    def objects(
        self: _Maps,
        prompt: str,
        threshold: Threshold = "otsu",
        *,
        min_area: float = 0,
        split: str = "none",
        fill_holes: bool = False,
        image: Any = None,
        pixel_size: Any = None,
        unit: str | None = None,
    ) -> Objects:
        """Return the objects that one map shows: connected pixels above a threshold.

        The threshold is learnt from one value per patch; outlines lie on the interpolated map, or,
        with an `image`, on its own edges near there, which are much finer than a patch.

        Parameters
        ----------
        prompt : str
            One of `prompts`.
        threshold : float or str
            In the unit of the map; or "otsu", "yen", "triangle", or "quantile:0.9".
        min_area : float
            Image pixels; smaller objects are left out.
        split : {"none", "watershed"}
            "watershed" separates objects that touch at the valleys between the map's peaks.
        fill_holes : bool
            Whether what an object encloses belongs to it: maps of large objects may lie on their
            rims.
        image : (y, x) or (y, x, 3|4), any real dtype, optional
            The image that was encoded. Where the map is high, the pixels whose color goes with it
            are separated from the others; "watershed" then separates objects at their waists.
        pixel_size : (float, float), optional
            Height and width of a pixel, for columns in that `unit`, such as "micrometer".
        unit : str, optional

        Returns
        -------
        Objects
            ``labels`` int32 (y, x), ``table``, ``notes``.

        Raises
        ------
        ImageError
            The image is not of the shape of the maps.
        PromptError
            There is no map of that prompt.
        SettingsError
            A setting lies outside what is accepted.

        Examples
        --------
        >>> objects = maps.objects("nuclei", min_area=64, split="watershed")
        >>> table = objects.table.to_pandas()
        """
        return objects_of_map(
            _prompt_map(self, _index(self, prompt)),
            _record(self),
            threshold=threshold,
            min_area=min_area,
            split=split,
            fill_holes=fill_holes,
            image=image,
            pixel_size=pixel_size,
            unit=unit,
        )

    def winners(self: _Maps, margin: float = 0.0) -> NDArray[np.int32]:
        """Return which prompt wins at each pixel, int32 (y, x): k for prompt k from 1, 0 for none.

        Parameters
        ----------
        margin : float
            By how much the prompt's map must be above every other, in units of its own range.

        Raises
        ------
        PromptError
            There are fewer than two prompts.
        SettingsError
            The margin is negative or no number.
        """
        check_margin(margin, len(self.prompts))
        return winning_prompt(self.values, margin)

    def winner_objects(
        self: _Maps,
        margin: float = 0.0,
        *,
        min_area: float = 0,
        pixel_size: Any = None,
        unit: str | None = None,
    ) -> Objects:
        """Return the connected areas of `winners`, each an object of the prompt that wins there.

        Parameters
        ----------
        margin
            As `winners` takes it.
        min_area, pixel_size, unit
            As `objects` takes them.

        Raises
        ------
        PromptError, SettingsError
            As `winners` and `objects` raise them.
        """
        maps = [_prompt_map(self, number) for number in range(len(self.prompts))]
        return objects_of_winners(
            maps,
            _record(self),
            margin=margin,
            min_area=min_area,
            pixel_size=pixel_size,
            unit=unit,
        )

    def peaks(
        self: _Maps, prompt: str, *, min_distance: float = 0.0, threshold: Threshold = "otsu"
    ) -> Peaks:
        """Return the local maxima of one map that are above a threshold, the highest first.

        Parameters
        ----------
        prompt : str
            One of `prompts`.
        min_distance : float
            Image pixels between two peaks, of which the higher is kept; at least one patch.
        threshold
            As `objects` takes it.

        Returns
        -------
        Peaks
            ``positions`` float64 (peak, 2), y and x in pixels; ``values``; ``labels``.

        Raises
        ------
        PromptError, SettingsError
            As `objects` raises them.
        """
        return peaks_of_map(
            _prompt_map(self, _index(self, prompt)), threshold=threshold, min_distance=min_distance
        )


def _index(maps: _Maps, prompt: str) -> int:
    if prompt not in maps.prompts:
        raise PromptError(
            f"there is no map of {prompt!r}; there are {', '.join(map(repr, maps.prompts))}"
        )
    return maps.prompts.index(prompt)


def _prompt_map(maps: _Maps, number: int) -> PromptMap:
    return PromptMap(
        prompt=maps.prompts[number],
        values=maps.values[number],
        lattice_values=maps.lattice_values[number],
        lattice=maps.encoding.lattice,
        similarity=float(maps.similarity[number]),
        verdict=str(maps.checks[number].verdict),
        trust=str(maps.checks[number].trust),
    )


def _record(maps: _Maps) -> dict[str, Any]:
    return {"model": dict(maps.encoding.model), "score": maps.score}
