"""What is known of one plane once it is encoded: maps, verdicts, objects, and how it looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.files.overlays import as_bytes, overlay, smaller
from napari_clip_heatmap.imaging import colors
from napari_clip_heatmap.imaging.source import ImageSource

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import Objects, ObjectSet
    from napari_clip_heatmap.annotation.peaks import Peaks
    from napari_clip_heatmap.batch.inputs.batch_image import PlaneIndex
    from napari_clip_heatmap.batch.outputs.image_output import OutputTarget
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.heatmaps import LazyHeatmaps
    from napari_clip_heatmap.pipeline.null_reference import NonsenseScale
    from napari_clip_heatmap.pipeline.scoring import Scoring
    from napari_clip_heatmap.pipeline.verdicts import Assessment

__all__ = ["OVERVIEW_SIDE", "PlaneResult"]

OVERVIEW_SIDE = 4096
"""Longest side of pictures to look at; larger images are shown smaller."""

_LARGEST_LABELED = 2**28
"""Image pixels up to which objects are found: their labels are kept in memory, prompt by prompt."""

_SMALL = 2**22
"""Pixels of all maps together that are kept until all kinds of output are written."""

_STRIPE = 256
"""Rows of a large map that are looked at together."""

_MOST_KEPT = 2**26
"""Labels of all prompts together that are kept for the next kind of output."""


@dataclass(frozen=True, eq=False)
class PlaneResult:
    """One plane and its maps.

    Parameters
    ----------
    target : OutputTarget
    index : tuple of int
        Of the plane in its image.
    channels : sequence of Channel
        Empty where there is nothing but an encoding.
    encoding : Encoding
    scoring : Scoring, optional
        None where there are no prompts, only encodings to be written.
    scale : NonsenseScale, optional
        Of the model and the templates, the same for all images of a job.

    Examples
    --------
    >>> PlaneResult(target, (), channels, encoding, scoring).maps.prompts  # doctest: +SKIP
    ('nuclei', 'background')
    """

    target: OutputTarget
    index: PlaneIndex
    channels: tuple[Channel, ...]
    encoding: Encoding
    scoring: Scoring | None
    scale: NonsenseScale | None = None
    _ranges: dict[int, tuple[float, float] | None] = field(default_factory=dict, init=False)
    _image_pictures: dict[int, NDArray[np.uint8]] = field(default_factory=dict, init=False)
    """By their factor: that of overlays, and that of the contact sheet."""
    _reading: Lock = field(default_factory=Lock, init=False)

    @cached_property
    def maps(self) -> LazyHeatmaps:
        """One map per prompt.

        Raises
        ------
        SettingsError
            There are no prompts.
        """
        if self.scoring is None:
            raise SettingsError("there is no prompt, so there are no maps; give --prompt WORDS")
        return self.encoding.lazy_maps(self.scoring)

    @cached_property
    def assessment(self) -> Assessment:
        """How far each map depends on its words."""
        from napari_clip_heatmap.pipeline.null_reference import make_null_reference
        from napari_clip_heatmap.pipeline.verdicts import assess_scoring

        scoring = self.maps.scoring
        reference = make_null_reference(self.encoding, scoring.templates, self.scale)
        return assess_scoring(self.encoding, scoring, reference)

    @cached_property
    def overview_factor(self) -> int:
        """Image pixels per pixel of `overview`."""
        return max(1, -(-max(self.encoding.image_shape) // OVERVIEW_SIDE))

    def overview(self, number: int, factor: int | None = None) -> NDArray[np.float32]:
        """Return the map of one prompt at the size of pictures to look at, float32 (y, x).

        Parameters
        ----------
        number : int
            Of the prompt.
        factor : int, optional
            Image pixels per pixel; by default `overview_factor`.
        """
        step = factor or self.overview_factor
        if step == 1:
            return self.values(number)
        only = slice(number, number + 1)
        shown: NDArray[np.float32] = self.maps.window(factor=step, maps=only)[0]
        return shown

    def value_range(self, number: int) -> tuple[float, float] | None:
        """Return the least and the greatest value of `overview`; None where none is known."""
        if number not in self._ranges:
            self._ranges[number] = self._measured_range(number)
        return self._ranges[number]

    def _measured_range(self, number: int) -> tuple[float, float] | None:
        factor = self.overview_factor
        if self.is_small:
            return _range_of([self.values(number)])
        height, width = self._picture_shape(factor)
        only = slice(number, number + 1)
        return _range_of(
            self.maps.window(rows, slice(0, width), factor=factor, maps=only)
            for rows in _stripes(height)
        )

    def values(self, number: int) -> NDArray[np.float32]:
        """Return the map of one prompt at image pixels, float32 (y, x)."""
        values: NDArray[np.float32] = (
            self._all_values[number]
            if self.is_small
            else self.maps.window(maps=slice(number, number + 1))[0]
        )
        return values

    @cached_property
    def is_small(self) -> bool:
        """Whether all maps are kept, as large as they are shown."""
        pixels = prod(self.encoding.image_shape) * len(self.maps.prompts)
        return self.overview_factor == 1 and pixels <= _SMALL

    @cached_property
    def _all_values(self) -> NDArray[np.float32]:
        """All maps of a small image, interpolated once for all kinds of output."""
        return self.maps.window()

    def picture(self, number: int) -> NDArray[np.uint8]:
        """Return the map of one prompt over the image, or alone where there is no image."""
        if self.is_small:
            return self._all_pictures[number]
        return self._drawn(self.overview(number)[np.newaxis], self.overview_factor)[0]

    def pictures(self, factor: int) -> list[NDArray[np.uint8]]:
        """Return what `picture` does of every prompt, made smaller."""
        if factor == self.overview_factor and self.is_small:
            return self._all_pictures
        n_maps = len(self.maps.prompts)
        values = np.stack([self.overview(number, factor) for number in range(n_maps)])
        return self._drawn(values, factor)

    @cached_property
    def _all_pictures(self) -> list[NDArray[np.uint8]]:
        """All pictures of a small image, drawn once for overlays and the contact sheet."""
        return self._drawn(self._all_values, 1)

    def _drawn(self, values: NDArray[np.float32], factor: int) -> list[NDArray[np.uint8]]:
        """Draw maps (map, y, x) over the image, if there is one."""
        low, span = colors.stretch(values, least=np.inf if self.maps.flat else 0.0)
        image = self.image_picture(factor) if self.channels else None
        drawn = np.empty((*values.shape, 3), np.uint8)
        for rows in _stripes(values.shape[1]):  # what a processor keeps close by
            unit = (values[:, rows] - low) / span
            for number, colored in enumerate(colors.jet(unit)):
                if image is not None:
                    colored = overlay(image[rows], colored, np.isfinite(unit[number]))
                drawn[number, rows] = colored
        return [*drawn]

    def image_picture(self, factor: int) -> NDArray[np.uint8]:
        """Return the image as the model sees it, uint8 (y, x, 3), made smaller."""
        pictures = self._image_pictures
        with self._reading:  # the overlays of all prompts need it at once
            if factor not in pictures:
                shape = self._picture_shape(factor)
                finer = [each for each in pictures if factor % each == 0]
                # Of a finer picture, so that the image need not be read again.
                pictures[factor] = (
                    smaller(pictures[max(finer)], shape) if finer else self._read_picture(shape)
                )
            return pictures[factor]

    def _picture_shape(self, factor: int) -> tuple[int, int]:
        height, width = (-(-length // factor) for length in self.encoding.image_shape)
        return height, width

    def _read_picture(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        appearance = self.encoding.view.appearance(self.channels)
        source = ImageSource(self.channels, appearance, shape)
        picture = np.empty((*shape, 3), np.uint8)
        for rows in _stripes(shape[0]):
            picture[rows] = as_bytes(source.read(rows, slice(0, shape[1])))
        return picture

    def objects(self, number: int) -> Objects:
        """Return the objects that the map of one prompt shows.

        Raises
        ------
        SettingsError
            The image is too large for labels of each of its pixels.
        """
        from napari_clip_heatmap.annotation.objects import objects_of_map

        if number in self._found:
            return self._found[number]
        size, settings = self.target.opened.pixel_size, self.target.settings
        found = objects_of_map(
            self._prompt_map(number),
            {"model": dict(self.encoding.model), "score": self.maps.score},
            threshold=settings.threshold,
            pixel_size=None if size is None else (size.y, size.x),
            unit=None if size is None else size.unit,
        )
        if found.labels.size * len(self.maps.prompts) > _MOST_KEPT:
            self._found.clear()
        self._found[number] = found
        return found

    @cached_property
    def _found(self) -> dict[int, Objects]:
        """Objects by prompt: several kinds of output need them."""
        return {}

    def peaks(self, number: int) -> Peaks:
        """Return the peaks of the map of one prompt that are above the threshold."""
        from napari_clip_heatmap.annotation.objects import peaks_of_map

        threshold = self.target.settings.threshold
        return peaks_of_map(self._prompt_map(number), threshold=threshold, min_distance=0.0)

    @cached_property
    def given_objects(self) -> ObjectSet | None:
        """The objects of ``--objects``, named by the prompts; None where none were given."""
        labels = _given_labels(self.target)
        if labels is None:
            return None
        from napari_clip_heatmap.pipeline.objects.object_scores import score_objects

        plane = labels[self.index] if labels.ndim > 2 else labels
        size, settings = self.target.opened.pixel_size, self.target.settings
        return score_objects(
            self.encoding,
            plane,
            settings.rows,
            settings.score,
            baseline=settings.baseline,
            templates=settings.templates,
            pixel_size=None if size is None else (size.y, size.x),
            unit=None if size is None else size.unit,
        )

    def _prompt_map(self, number: int) -> Any:
        from napari_clip_heatmap.annotation.objects import PromptMap

        height, width = self.encoding.image_shape
        if height * width > _LARGEST_LABELED:
            raise SettingsError(
                f"labels, points, shapes and tables are made of images up to "
                f"{_LARGEST_LABELED / 1e6:.0f} megapixels, and this one has "
                f"{height * width / 1e6:.0f}; write maps and encodings, or crop it"
            )
        return PromptMap(
            prompt=self.maps.prompts[number],
            values=self.values(number),
            lattice_values=self.maps.lattice_values[number],
            lattice=self.maps.lattice,
            similarity=float(self.maps.similarity[number]),
            verdict=str(self.assessment.checks[number].verdict),
            trust=str(self.assessment.checks[number].trust),
        )


def _stripes(height: int) -> Iterator[slice]:
    """Cut rows into stripes."""
    return (slice(top, min(top + _STRIPE, height)) for top in range(0, height, _STRIPE))


def _range_of(parts: Iterable[NDArray[np.float32]]) -> tuple[float, float] | None:
    """Return the least and the greatest known value of a map that comes in parts."""
    known = (part[np.isfinite(part)] for part in parts)
    ends = [(float(values.min()), float(values.max())) for values in known if values.size]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None


def _given_labels(target: OutputTarget) -> NDArray[Any] | None:
    """Read the labels that belong to an image: the file, or the one of its name in a folder."""
    if target.settings.objects is None:
        return None
    path = Path(target.settings.objects)
    if path.is_dir():
        stem = Path(target.image.entry.source).stem
        found = sorted(each for each in path.iterdir() if each.stem == stem)
        if len(found) != 1:
            many = f"{len(found)} files" if found else "no file"
            raise ImageError(
                f"the folder of labels '{path}' has {many} named '{stem}' with any ending; "
                "there must be one for each image"
            )
        path = found[0]
    return _read_labels(path)


def _read_labels(path: Path) -> NDArray[Any]:
    from napari_clip_heatmap.files.reading.image_file import read_image

    if path.suffix.lower() == ".npy":
        labels: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    elif path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        labels = np.asarray(tifffile.imread(path))
    else:
        labels = read_image(path)
    if labels.dtype.kind not in "biu":
        raise ImageError(f"the labels '{path}' are {labels.dtype}; accepted: whole numbers")
    return labels
