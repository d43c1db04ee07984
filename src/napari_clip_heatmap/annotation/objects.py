"""The objects of a heatmap: labels, and a table of what was measured of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.geometry import PixelSize, geometry_columns, read_pixel_size
from napari_clip_heatmap.annotation.label_runs import runs_of
from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.annotation.peaks import Peaks, central_pixels, find_peaks
from napari_clip_heatmap.annotation.segmentation import (
    check_segmentation,
    connected,
    segment,
    winning_prompt,
    without_small,
)
from napari_clip_heatmap.annotation.thresholds import Threshold, learn_threshold
from napari_clip_heatmap.errors import PromptError, SettingsError
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.resolution import resolution

__all__ = [
    "ObjectSet",
    "Objects",
    "PromptMap",
    "check_margin",
    "objects_of_map",
    "objects_of_winners",
    "peaks_of_map",
]


class ObjectSet(Protocol):
    """What can be written: numbered objects and a table of them."""

    @property
    def labels(self) -> Any:
        """Integers (y, x), or (plane, y, x); 0 is background. May be lazy."""
        ...

    @property
    def table(self) -> Table:
        """One row per object, with the columns ``label`` and ``prompt``."""
        ...

    @property
    def record(self) -> Mapping[str, Any]:
        """Where the objects come from, in values that JSON has."""
        ...


@dataclass(frozen=True, eq=False)
class Objects:
    """What `Heatmaps.objects` found.

    Parameters
    ----------
    labels : int32 (y, x)
        0 is background, k the object ``table["label"] == k``.
    table : Table
        Columns ``label``, ``prompt``, ``area`` (image pixels), ``centroid_y``, ``centroid_x``
        (whole numbers at pixel centers), ``bbox_y0 bbox_x0 bbox_y1 bbox_x1`` (half open), ``mean``
        and ``max`` of the heatmap, ``similarity`` of the whole image to the prompt, and the
        prompt's ``verdict`` and ``trust``; with a pixel size also ``area_um2`` and so on.
    notes : tuple of str
        Plain sentences on how the objects are to be read.
    record : mapping
        Model, score, thresholds and settings, in values that JSON has.
    """

    labels: NDArray[np.int32]
    table: Table
    notes: tuple[str, ...]
    record: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True, eq=False)
class PromptMap:
    """One map, and what objects made of it need to say.

    Parameters
    ----------
    prompt : str
    values : float32 (y, x)
        At image pixels; NaN where nothing is known.
    lattice_values : float32 (grid_y, grid_x)
        At patches.
    lattice : Lattice
    similarity : float
        Of the whole image to the prompt.
    verdict : str
    trust : str
        "good", "doubtful", "none" or "unknown".
    """

    prompt: str
    values: NDArray[np.float32]
    lattice_values: NDArray[np.float32]
    lattice: Lattice
    similarity: float
    verdict: str
    trust: str = "unknown"


def objects_of_map(
    shown: PromptMap,
    record: Mapping[str, Any],
    *,
    threshold: Threshold = "otsu",
    min_area: float = 0,
    split: str = "none",
    fill_holes: bool = False,
    image: Any = None,
    pixel_size: Any = None,
    unit: str | None = None,
) -> Objects:
    """Return the objects of one map; see `Heatmaps.objects`.

    Raises
    ------
    ImageError, SettingsError
    """
    check_segmentation(min_area, split)
    size = read_pixel_size(pixel_size, unit)
    limit = learn_threshold(shown.lattice_values, threshold)
    settings = {"min_area": float(min_area), "split": split, "fill_holes": fill_holes}
    labels = _segmented(shown, limit, image, settings)
    table = _measure(labels, [shown], np.zeros(int(labels.max()), np.intp), size)
    record = {
        **record,
        "prompts": [shown.prompt],
        "threshold": threshold,
        "limit": None if math.isnan(limit) else limit,
        "outlines": "map" if image is None else "image",
        **settings,
        **_sizes(size),
    }
    notes = tuple(_notes(table, shown, limit, by_image=image is not None))
    return Objects(labels=labels, table=table, notes=notes, record=record)


def _segmented(
    shown: PromptMap, limit: float, image: Any, settings: Mapping[str, Any]
) -> NDArray[np.int32]:
    if image is None:
        return segment(shown.values, shown.lattice_values, shown.lattice, limit, **settings)
    from napari_clip_heatmap.annotation.image_edges import check_pixels, segment_by_image

    pixels = check_pixels(image, shown.values.shape)
    patch = _patch_size(shown.lattice)
    return segment_by_image(shown.values, limit, pixels, min(patch) / 2, **settings)


def objects_of_winners(
    maps: Sequence[PromptMap],
    record: Mapping[str, Any],
    *,
    margin: float = 0.0,
    min_area: float = 0,
    pixel_size: Any = None,
    unit: str | None = None,
) -> Objects:
    """Return the connected areas in which one prompt wins; see `Heatmaps.winner_objects`.

    Raises
    ------
    PromptError, SettingsError
    """
    check_margin(margin, len(maps))
    check_segmentation(min_area, "none")
    size = read_pixel_size(pixel_size, unit)
    winner = winning_prompt(np.stack([each.values for each in maps]), margin)
    labels = np.zeros(winner.shape, np.int32)
    for number in range(1, len(maps) + 1):
        own = connected(winner == number)
        labels[own > 0] = own[own > 0] + labels.max()
    labels = without_small(labels, min_area)
    prompt_of = np.zeros(int(labels.max()) + 1, np.intp)
    prompt_of[labels] = winner - 1
    table = _measure(labels, maps, prompt_of[1:], size)
    prompts = [each.prompt for each in maps]
    return Objects(
        labels=labels,
        table=table,
        notes=tuple(_on_patches(table, maps[0].lattice)),
        record={
            **record,
            "prompts": prompts,
            "margin": float(margin),
            "min_area": float(min_area),
            **_sizes(size),
        },
    )


def peaks_of_map(shown: PromptMap, *, threshold: Threshold, min_distance: float) -> Peaks:
    """Return the peaks of one map; see `Heatmaps.peaks`.

    Raises
    ------
    SettingsError
    """
    limit = learn_threshold(shown.lattice_values, threshold)
    positions, values, cells = find_peaks(
        shown.lattice_values, shown.lattice, threshold=limit, min_distance=min_distance
    )
    labels = connected(shown.values > limit)
    return Peaks(positions, values, labels[central_pixels(shown.lattice, cells)])


def check_margin(margin: Any, n_prompts: int) -> None:
    """Raise unless prompts can win by a margin.

    Raises
    ------
    PromptError, SettingsError
    """
    if n_prompts < 2:
        raise PromptError(
            f"a prompt wins over others, and there is {n_prompts}; give two prompts or more, or "
            "take objects by a threshold"
        )
    number = isinstance(margin, int | float | np.number) and not isinstance(margin, bool)
    if not (number and 0 <= margin < math.inf):
        raise SettingsError(
            f"the margin is {margin!r}; accepted: 0 or more, in units of a map's range"
        )


def _measure(
    labels: NDArray[np.int32],
    maps: Sequence[PromptMap],
    prompt_of: NDArray[np.intp],
    size: PixelSize | None,
) -> Table:
    """Measure each label on the map of its prompt."""
    runs = runs_of(labels)
    owner, n = runs.label.astype(np.intp) - 1, len(prompt_of)
    area = np.bincount(owner, runs.length, minlength=n)
    middle = (runs.start + runs.stop - 1) / 2
    centroid = [
        np.bincount(owner, runs.length * at, minlength=n) / np.maximum(area, 1)
        for at in (runs.y, middle)
    ]
    mean, highest = _values(labels, maps, prompt_of)
    texts = np.array([each.prompt for each in maps], object)
    verdicts = np.array([each.verdict for each in maps], object)
    trusts = np.array([each.trust for each in maps], object)
    similarity = np.array([each.similarity for each in maps], np.float32)
    return Table(
        {
            "label": np.arange(1, n + 1, dtype=np.int32),
            "prompt": texts[prompt_of],
            **geometry_columns(
                area.astype(np.int64), np.stack(centroid, axis=1), runs.bounds(owner, n), size
            ),
            "mean": mean,
            "max": highest,
            "similarity": similarity[prompt_of],
            "verdict": verdicts[prompt_of],
            "trust": trusts[prompt_of],
        }
    )


def _values(
    labels: NDArray[np.int32], maps: Sequence[PromptMap], prompt_of: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and maximum of each label on its own map, as far as that is known."""
    n = len(prompt_of)
    mean, highest = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
    for number, each in enumerate(maps):
        inside = (labels > 0) & np.isfinite(each.values)
        owner, values = labels[inside] - 1, each.values[inside]
        own = prompt_of == number
        count = np.bincount(owner, minlength=n)
        own &= count > 0
        mean[own] = np.bincount(owner, values, minlength=n)[own] / count[own]
        top = np.full(n, -np.inf, np.float32)
        np.maximum.at(top, owner, values)
        highest[own] = top[own]
    return mean, highest


def _notes(table: Table, shown: PromptMap, limit: float, *, by_image: bool) -> Iterator[str]:
    known = shown.lattice_values[np.isfinite(shown.lattice_values)]
    if math.isnan(limit):
        yield (
            f"The map of '{shown.prompt}' is the same everywhere, or not known: no threshold can "
            "be learnt, and there are no objects."
        )
    elif not len(table):
        top = f"; its highest value is {known.max():.4g}" if known.size else ""
        yield f"No objects: the threshold on the map of '{shown.prompt}' is {limit:.4g}{top}."
    if by_image:
        yield "Outlines follow the image, inside of what is near to patches above the threshold."
    else:
        yield from _on_patches(table, shown.lattice)


def _patch_size(lattice: Lattice) -> tuple[float, float]:
    """Return height and width of a patch in image pixels."""
    y, x = (axis.patch * axis.image / axis.working for axis in (lattice.y, lattice.x))
    return y, x


def _on_patches(table: Table, lattice: Lattice) -> Iterator[str]:
    y, x = lattice.y, lattice.x
    scale = y.image / y.working, x.image / x.working
    sizes = resolution((y.patch, x.patch), (y.tile, x.tile), scale)
    yield f"Outlines are interpolated between patches: {sizes}."
    patch = sizes.patch[0] * sizes.patch[1]
    small = int((table["area"] < patch).sum())
    if small:
        yield (
            f"{small} of {len(table)} objects are smaller than one patch ({patch:.0f} pixels): "
            "that something is there was seen, its shape was not."
        )


def _sizes(size: PixelSize | None) -> dict[str, Any]:
    if size is None:
        return {}
    return {"pixel_size": [size.y, size.x], "unit": size.unit}
