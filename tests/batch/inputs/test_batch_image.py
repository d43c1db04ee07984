from __future__ import annotations

import math

from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry


def image(*lengths: int) -> BatchImage:
    axes = ("time", "z", "page")[: len(lengths)]
    return BatchImage(axes, lengths, (8, 9), "uint8", (*lengths, 8, 9), lambda index: ())


def test_planes_are_numbered_in_order() -> None:
    for lengths in ((), (3,), (2, 4), (2, 1, 3)):
        stack = image(*lengths)
        assert stack.n_planes == len(stack.planes) == math.prod(lengths)
        assert [stack.number(index) for index in stack.planes] == list(range(stack.n_planes))


def test_an_entry_is_called_by_its_source_and_part() -> None:
    assert ImageEntry("/a.tif").label == "/a.tif"
    assert ImageEntry("/p.zarr", "A/1/0").label == "/p.zarr A/1/0"
