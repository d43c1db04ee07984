"""Sentences on what the model saw of an image: nothing at all, which values, how finely."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_clip_heatmap.imaging.view import ShownRange
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["image_notes"]

_SOURCES = {
    "robust": "the range of the data without single defects and no-data values",
    "percentile": "percentiles of the data",
    "min-max": "the smallest and the largest value",
}


def image_notes(encoding: Encoding) -> Iterator[str]:
    """Return what users must know of how the model saw their image."""
    if encoding.nothing_to_see:
        what = "image" if encoding.region.is_whole else "region"
        yield (
            f"The {what} is nearly constant as the model sees it: there is nothing to see, so the "
            "maps are drawn without contrast."
        )
    several = len(encoding.ranges) > 1
    for number, shown in enumerate(encoding.ranges, start=1):
        if shown.is_measured:
            yield _range_note(shown, f"channel {number} " if several else "")
    if encoding.downsample > 1:
        yield (
            f"The model sees one pixel for every {encoding.downsample:.3g} image pixels along each "
            "axis (downsample); smaller things may be missed."
        )
    if encoding.downsample < 1:
        yield f"The image was enlarged {1 / encoding.downsample:.3g} times for the model."


def _range_note(shown: ShownRange, channel: str) -> str:
    return (
        f"The model sees the {channel}values {shown.low:.5g} to {shown.high:.5g} as black to white "
        f"({_SOURCES[shown.source]}); another range can be set as the view."
    )
