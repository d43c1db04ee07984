"""Names of existing objects by words: which encodings and which labels belong together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.annotation.label_runs import LabelPlane, check_labels
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.pipeline.objects.object_scores import ObjectScores, score_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_clip_heatmap._napari.job.request import HeatmapRequest
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["NamingRequest"]

Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class NamingRequest:
    """Which objects are to be named, and by what.

    Parameters
    ----------
    labels : array-like of integers
        At full resolution, of the shape of the image, or of one of its planes.
    encodings : mapping of tuple of int to Encoding
        By plane.
    request : HeatmapRequest
        With the prompts and the templates.
    leading : tuple of int
        Lengths of the image's axes before y and x.
    index : tuple of int
        The plane in view.
    all_slices : bool
        Whether objects of all planes are named, or those of the plane in view.
    pixel_size : (float, float), optional
    unit : str, optional
    """

    labels: Any
    encodings: Mapping[Index, Encoding]
    request: HeatmapRequest
    leading: Index
    index: Index
    all_slices: bool = False
    pixel_size: tuple[float, float] | None = None
    unit: str | None = None

    def score(self) -> ObjectScores:
        """Name the objects.

        Raises
        ------
        ClipHeatmapError
            The labels do not fit the image, hold no object, or a plane is not encoded.
        """
        labels, planes = self._labels()
        missing = [index for index in planes if index not in self.encodings]
        if missing:
            raise ImageError(
                f"{len(missing)} of {len(planes)} slices are not encoded, such as "
                f"{', '.join(map(str, missing[0])) or 'this image'}: run on them first (slices: "
                "all), or name the objects of the slice in view"
            )
        return score_objects(
            [self.encodings[index] for index in planes] if planes != [()] else self.encodings[()],
            labels,
            self.request.prompts,
            baseline=(),
            templates=self.request.templates,
            pixel_size=self.pixel_size,
            unit=self.unit,
        )

    def _labels(self) -> tuple[Any, list[Index]]:
        """Return the labels that are named, and the plane of each of their planes."""
        labels = self.labels
        shape = tuple(getattr(labels, "shape", ()))
        any_encoding = next(iter(self.encodings.values()), None)
        if any_encoding is None:
            raise ImageError("there is no encoding of this image yet: run first")
        plane = any_encoding.image_shape
        if len(shape) == 2 or not self.leading:
            check_labels(labels, plane if not self.leading or len(shape) == 2 else shape)
            return labels, [self.index]
        check_labels(labels, (*self.leading, *plane))
        if not self.all_slices:
            return LabelPlane(labels, self.index), [self.index]
        return labels, list(product(*map(range, self.leading)))
