from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch.inputs.batch_image import ImageEntry
from napari_clip_heatmap.batch.inputs.tiff_images import open_tiff
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

PIXELS = np.zeros((8, 9), np.uint8)


def size_of(path: Path) -> Any:
    size = open_tiff(ImageEntry(str(path)), PictureChoice()).pixel_size
    return None if size is None else (size.y, size.x, size.unit)


def test_ome(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    said = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    units = {"PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(path, PIXELS, metadata=said | units)
    assert size_of(path) == (0.5, 0.25, "nm")
    tifffile.imwrite(path, PIXELS, metadata={"axes": "YX"})
    assert size_of(path) is None


def test_imagej(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, imagej=True, resolution=(2.0, 4.0), metadata={"unit": "micron"})
    assert size_of(path) == pytest.approx((0.25, 0.5, "micrometer"))
    tifffile.imwrite(path, PIXELS, imagej=True)
    assert size_of(path) is None


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((20000, 40000), "CENTIMETER", (0.25, 0.5, "micrometer")),
        ((25400, 25400), "INCH", (1.0, 1.0, "micrometer")),
        ((300, 300), "INCH", None),
        ((72, 72), "INCH", None),
        ((28.3464567, 28.3464567), "CENTIMETER", None),
        ((20000, 40000), "NONE", None),
        ((1, 1), "CENTIMETER", None),
    ],
)
def test_tags(resolution: Any, unit: str, expected: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, resolution=resolution, resolutionunit=unit)
    got = size_of(path)
    assert got == expected if expected is None else got == pytest.approx(expected)


def test_slides(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    described = "Aperio Image Library v10\r\n9x8 (8x8) RAW|AppMag = 20|MPP = 0.4990|Left = 1"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), tile=(16, 16), description=described)
    assert size_of(path) == pytest.approx((0.499, 0.499, "micrometer"))
