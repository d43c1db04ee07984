"""Explanations for the dock: of a place of a plane that has heatmaps, and its heads' own maps."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap._napari.job.request import RunStep
from napari_clip_heatmap.errors import Cancelled, ImageError
from napari_clip_heatmap.imaging.masks import LabeledRegion
from napari_clip_heatmap.pipeline.explanation.explain import explain_place, explain_whole
from napari_clip_heatmap.pipeline.explanation.explanation import head_label
from napari_clip_heatmap.pipeline.explanation.head_maps import HeadMaps, map_heads
from napari_clip_heatmap.pipeline.explanation.head_words import (
    describe_steps,
    head_words_of,
    read_words,
)
from napari_clip_heatmap.pipeline.explanation.tile_heads import TiledImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.pipeline.explanation.explanation import Explanation
    from napari_clip_heatmap.pipeline.explanation.head_maps import HeadHeatmaps
    from napari_clip_heatmap.pipeline.explanation.head_words import HeadWords
    from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = [
    "ExplanationSession",
    "HeadMapRequest",
    "HeadPicture",
    "PlaceAnswer",
    "PlaceRequest",
    "WordsRequest",
    "explained_scoring",
    "label_at",
    "map_name",
    "one_prompt",
]

LARGEST_MASK = 2**28
"""Image pixels of the largest image whose labels are explained."""

Stopped = Callable[[], bool]
Head = tuple[int, int]


@dataclass(frozen=True, eq=False)
class PlaceRequest:
    """A value to explain.

    Parameters
    ----------
    request, result
        Of the heatmaps.
    index : tuple of int
        The plane.
    spot : (int, int), optional
        Row and column of a pixel; None for the whole image.
    labels : LabeledRegion, optional
        Explain the label of this image at the spot, instead of the pixel.
    """

    request: HeatmapRequest
    result: HeatmapResult
    index: tuple[int, ...]
    spot: tuple[int, int] | None
    labels: LabeledRegion | None = None


@dataclass(frozen=True, eq=False)
class PlaceAnswer:
    """An explanation, and what it is of.

    Parameters
    ----------
    explanation : Explanation
        Of all prompts.
    place : str
        In words.
    words : mapping of (layer, head) to str
        What heads look for, where `clip-heatmap heads` found it for this model.
    """

    explanation: Explanation
    place: str
    words: Mapping[Head, str]


@dataclass(frozen=True, eq=False)
class HeadMapRequest:
    """Maps of some heads, or of all others.

    Parameters
    ----------
    request, result, index
        As `PlaceRequest` has them.
    prompt : int
        Number of the prompt.
    heads : frozenset of (layer, head)
    left_out : bool
    """

    request: HeatmapRequest
    result: HeatmapResult
    index: tuple[int, ...]
    prompt: int
    heads: frozenset[Head]
    left_out: bool


@dataclass(frozen=True, eq=False)
class HeadPicture:
    """A map of heads, ready for a layer.

    Parameters
    ----------
    name : str
    maps : HeadHeatmaps
        Of one prompt.
    pixels : float32 (y, x)
    similarity : float
        Of the whole image with the prompt, by the model as it is.
    """

    name: str
    maps: HeadHeatmaps
    pixels: NDArray[np.float32]
    similarity: float


@dataclass(frozen=True, eq=False)
class WordsRequest:
    """What heads are to be described by.

    Parameters
    ----------
    request : HeatmapRequest
        Names the model.
    images : tuple of tuple of Channel
    path : Path
        Of a text file, one word a line.
    """

    request: HeatmapRequest
    images: tuple[tuple[Channel, ...], ...]
    path: Path


class ExplanationSession:
    """Explains one value after another; the last plane's tiles and head maps are kept.

    Parameters
    ----------
    model_of : callable(HeatmapRequest) -> ClipModel
        Returns the loaded model; may take seconds.
    """

    def __init__(self, model_of: Callable[[HeatmapRequest], ClipModel]) -> None:
        self._model_of = model_of
        self._tiled: tuple[HeatmapRequest, tuple[int, ...], TiledImage] | None = None
        self._maps: tuple[HeatmapResult, tuple[int, ...], int, HeadMaps] | None = None

    def forget(self) -> None:
        """Let go of the model and of all that was kept."""
        self._tiled = self._maps = None

    def explain(
        self, asked: PlaceRequest, stopped: Stopped
    ) -> Generator[RunStep, None, PlaceAnswer]:
        """Explain a value; yields how far it is."""
        tiled = self._tiled_of(asked.request, asked.index)
        scoring = explained_scoring(asked.result.scoring)
        at, place = _place(asked, tiled.lattice.image_shape)
        if at is None:
            explanation = yield from _reported(explain_whole(tiled, scoring), stopped)
        else:
            explanation = yield from _reported(explain_place(tiled, scoring, at), stopped)
        return PlaceAnswer(explanation, place, _words(tiled.model.weights_sha256))

    def head_map(
        self, asked: HeadMapRequest, stopped: Stopped
    ) -> Generator[RunStep, None, HeadPicture]:
        """Return the map of some heads; the first of a prompt takes a pass over all tiles."""
        every = yield from self._maps_of(asked, stopped)
        named = [head_label(*head) for head in sorted(asked.heads)]
        maps = every.without(heads=named) if asked.left_out else every.only(heads=named)
        return HeadPicture(
            map_name(every.prompts[0], named, left_out=asked.left_out),
            maps,
            maps.window()[0],
            float(every.similarity[0]),
        )

    def describe(
        self, asked: WordsRequest, stopped: Stopped
    ) -> Generator[RunStep, None, HeadWords]:
        """Find words for each head over the open images, and keep them for the model."""
        words = read_words(asked.path)
        steps = describe_steps(self._model_of(asked.request), asked.images, words)
        found: HeadWords = yield from _reported(steps, stopped)
        found.save()
        return found

    def _maps_of(
        self, asked: HeadMapRequest, stopped: Stopped
    ) -> Generator[RunStep, None, HeadMaps]:
        kept = self._maps
        if (
            kept is not None
            and kept[0] is asked.result
            and kept[1:3] == (asked.index, asked.prompt)
        ):
            return kept[3]
        self._maps = None  # two would need twice the memory
        tiled = self._tiled_of(asked.request, asked.index)
        scoring = one_prompt(explained_scoring(asked.result.scoring), asked.prompt)
        every: HeadMaps = yield from _reported(map_heads(tiled, scoring), stopped)
        self._maps = (asked.result, asked.index, asked.prompt, every)
        return every

    def _tiled_of(self, request: HeatmapRequest, index: tuple[int, ...]) -> TiledImage:
        model = self._model_of(request)
        kept = self._tiled
        if kept is not None and kept[0] is request and kept[1] == index and kept[2].model is model:
            return kept[2]
        planes = {plane.index: plane for plane in request.planes}
        if index not in planes:
            raise ImageError(
                "this slice was not part of the last run, so its layers and heads are not known; "
                "press Run with this slice in view"
            )
        tiled = TiledImage(
            model,
            planes[index].channels,
            view=request.view,
            region=request.region,
            downsample=request.downsample,
            quality=request.quality,
        )
        self._tiled = (request, index, tiled)
        return tiled


def explained_scoring(scoring: Scoring) -> Scoring:
    """Return the scoring whose maps are explained: of probabilities, the cosines behind them."""
    if scoring.unit == "cosine":
        return scoring
    return replace(scoring, score="absolute", directions=scoring.text)


def one_prompt(scoring: Scoring, number: int) -> Scoring:
    """Return a scoring of one of its prompts alone; its direction stays as it is."""
    one = slice(number, number + 1)
    return replace(
        scoring,
        prompts=scoring.prompts[one],
        text=scoring.text[one],
        directions=scoring.directions[one],
        recipes=scoring.recipes[one],
        phrases=scoring.phrases[one],
    )


def map_name(prompt: str, heads: Iterable[str], *, left_out: bool) -> str:
    """Return a layer's name, such as "nuclei · L5H3"."""
    named = [*heads]
    few = " + ".join(named) if len(named) <= 3 else f"{len(named)} heads"
    middle = " without" if left_out else " \N{MIDDLE DOT}"
    return f"{prompt}{middle} {few}"


def label_at(labels: LabeledRegion, spot: tuple[int, int]) -> int:
    """Return the label at the center of an image pixel; 0 where there is none."""
    matrix = np.eye(3) if labels.matrix is None else labels.matrix
    row, column = np.floor((matrix @ [spot[0] + 0.5, spot[1] + 0.5, 1])[:2]).astype(int)
    height, width = labels.labels.shape
    if not (0 <= row < height and 0 <= column < width):
        return 0
    return int(np.asarray(labels.labels[row : row + 1, column : column + 1])[0, 0])


class _OneLabel:
    """A label image in which one label is true."""

    def __init__(self, labels: Any, value: int) -> None:
        self._labels, self._value = labels, value
        self.shape, self.dtype = tuple(labels.shape), np.dtype(bool)

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[np.bool_]:
        return np.asarray(np.asarray(self._labels[key]) == self._value)


def _place(asked: PlaceRequest, shape: tuple[int, int]) -> tuple[Any, str]:
    """Return the place as `explain_place` takes it, None for the whole image; and in words."""
    if asked.spot is None:
        return None, "The whole image"
    if asked.labels is None:
        return asked.spot, f"At y = {asked.spot[0]}, x = {asked.spot[1]} px"
    value = label_at(asked.labels, asked.spot)
    if not value:
        raise ImageError("there is no label where you clicked; click on one")
    if shape[0] * shape[1] > LARGEST_MASK:
        raise ImageError(
            f"the image has {shape[0]} x {shape[1]} pixels, too many for the mask of a label; "
            "explain the place clicked instead"
        )
    region = LabeledRegion(_OneLabel(asked.labels.labels, value), asked.labels.matrix)
    y, x = (np.arange(length, dtype=np.float64) + 0.5 for length in shape)
    mask = region.inside(y, x)
    return mask, f"Mean over label {value}, {int(mask.sum())} px"


def _words(weights_sha256: str) -> dict[Head, str]:
    found = head_words_of(weights_sha256)
    if found is None:
        return {}
    return {
        (layer, head): ", ".join(words[:3])
        for layer, heads in enumerate(found.words)
        for head, words in enumerate(heads)
        if words
    }


def _reported(
    steps: Generator[tuple[int, int], None, Any], stopped: Stopped
) -> Generator[RunStep, None, Any]:
    """Run steps; yield each as the dock shows it, and stop where that is wanted."""
    while True:
        if stopped():
            raise Cancelled("cancelled before all tiles were done; those that were are kept")
        try:
            done, total = next(steps)
        except StopIteration as end:
            return end.value
        yield RunStep(f"Tile {done} of {total}", done, total)
