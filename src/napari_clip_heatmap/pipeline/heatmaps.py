"""The maps of several prompts, at the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

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
from napari_clip_heatmap.imaging import colours
from napari_clip_heatmap.pipeline.maps import Maps

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["Heatmaps"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Heatmaps(Maps):
    """One map per prompt, as `Encoding.heatmaps` returns them.

    Beside `values` there are ``prompts``, ``similarity``, ``lattice_values``, ``score``,
    ``baseline``, ``unit``, ``notes`` and ``recipes``.

    Parameters
    ----------
    scoring, lattice_values, similarity
        As `Maps` takes them.
    encoding : Encoding
        What they were made of.
    values : float32 (prompt, y, x)
        Share of the cosine similarity that the patch under each image pixel carries (for "softmax"
        its probability), interpolated bilinearly between patch centres; NaN where the image is
        invalid, and outside the region.
    """

    encoding: Encoding
    values: NDArray[np.float32]

    def normalized(self) -> NDArray[np.float32]:
        """Return each map scaled to 0..1 by its own range, float32 (prompt, y, x); NaN stays NaN.

        A map that is the same everywhere says nothing and becomes 0.
        """
        return colours.min_max(self.values)

    def jet(self) -> NDArray[np.uint8]:
        """Return each normalized map in OpenCV's JET colours, uint8 RGB (prompt, y, x, 3).

        Red carries most of the score, blue least; invalid pixels are black.
        """
        return colours.jet(self.normalized())

    def objects(
        self,
        prompt: str,
        threshold: Threshold = "otsu",
        *,
        min_area: float = 0,
        split: str = "none",
        fill_holes: bool = False,
        pixel_size: Any = None,
        unit: str | None = None,
    ) -> Objects:
        """Return the objects that one map shows: connected pixels above a threshold.

        The threshold is learnt from one value per patch; outlines lie on the interpolated map.

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
        pixel_size : (float, float), optional
            Height and width of a pixel, for columns in that `unit`, such as "micrometer".
        unit : str, optional

        Returns
        -------
        Objects
            ``labels`` int32 (y, x), ``table``, ``notes``.

        Raises
        ------
        PromptError
            There is no map of that prompt.
        SettingsError
            A setting lies outside what is accepted.

        Examples
        --------
        >>> objects = maps.objects("nuclei", min_area=64, split="watershed")
        >>> objects.table.to_pandas()
        """
        return objects_of_map(
            self._prompt_map(self._index(prompt)),
            self._record(),
            threshold=threshold,
            min_area=min_area,
            split=split,
            fill_holes=fill_holes,
            pixel_size=pixel_size,
            unit=unit,
        )

    def winners(self, margin: float = 0.0) -> NDArray[np.int32]:
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
        self,
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
        maps = [self._prompt_map(number) for number in range(len(self.prompts))]
        return objects_of_winners(
            maps,
            self._record(),
            margin=margin,
            min_area=min_area,
            pixel_size=pixel_size,
            unit=unit,
        )

    def peaks(
        self, prompt: str, *, min_distance: float = 0.0, threshold: Threshold = "otsu"
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
            self._prompt_map(self._index(prompt)), threshold=threshold, min_distance=min_distance
        )

    def _index(self, prompt: str) -> int:
        if prompt not in self.prompts:
            raise PromptError(
                f"there is no map of {prompt!r}; there are {', '.join(map(repr, self.prompts))}"
            )
        return self.prompts.index(prompt)

    def _prompt_map(self, number: int) -> PromptMap:
        return PromptMap(
            prompt=self.prompts[number],
            values=self.values[number],
            lattice_values=self.lattice_values[number],
            lattice=self.encoding.lattice,
            similarity=float(self.similarity[number]),
            verdict=self._verdicts[number],
        )

    @cached_property
    def _verdicts(self) -> tuple[str, ...]:
        # Not above: both import `Encoding`, which imports this module.
        from napari_clip_heatmap.pipeline.honesty import judge
        from napari_clip_heatmap.pipeline.yardstick import make_yardstick

        null = make_yardstick(self.encoding, self.scoring.templates)
        checks = judge(self.encoding, self.scoring, null).checks
        return tuple(str(check.verdict) for check in checks)

    def _record(self) -> dict[str, Any]:
        return {"model": dict(self.encoding.model), "score": self.score}
