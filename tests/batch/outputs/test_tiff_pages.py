from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_clip_heatmap.annotation.geometry import PixelSize
from napari_clip_heatmap.batch.inputs.batch_image import BatchImage
from napari_clip_heatmap.batch.outputs.tiff_pages import TILE, TiffPages


@pytest.mark.parametrize("shape", [(8, 9), (TILE + 1, 30), (2 * TILE, 3 * TILE - 5)])
@pytest.mark.parametrize("lengths", [(), (2,)])
def test_what_is_written_is_read(
    shape: tuple[int, int], lengths: tuple[int, ...], tmp_path: Path
) -> None:
    values = np.random.default_rng(0).random((*lengths, *shape)).astype(np.float32)
    values[..., 3, 4] = np.nan
    opened = BatchImage(
        ("z",)[: len(lengths)],
        lengths,
        shape,
        "",
        shape,
        lambda index: (),
        PixelSize(0.5, 0.25, "micrometer"),
    )
    pages = TiffPages(tmp_path / "a.tif", opened, np.float32, {"prompt": "細胞核"})
    asked = []
    for index in opened.planes:

        def read(y: slice, x: slice, index: tuple[int, ...] = index) -> np.ndarray:
            asked.append(y.stop - y.start)
            part: np.ndarray = values[index][y, x]
            return part

        pages.add(read)
    pages.close()
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        np.testing.assert_array_equal(tiff.series[0].asarray(), values)
        assert tiff.series[0].axes == "Z"[: len(lengths)] + "YX"
        assert tiff.shaped_metadata[0]["prompt"] == "細胞核"
        assert tiff.pages[0].is_tiled == (max(shape) > TILE)
        x, y = (tiff.pages[0].tags[f"{axis}Resolution"].value for axis in "XY")
        assert (x[0] / x[1], y[0] / y[1]) == (40000, 20000)
    assert max(asked) <= TILE, "memory holds a row of tiles"


@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_tiles_are_deflated_where_that_saves_much(kind: str, tmp_path: Path) -> None:
    values = np.zeros((TILE, 2 * TILE), np.float32)
    values[:, TILE:] = np.random.default_rng(0).normal(size=(TILE, TILE)).cumsum(axis=1)
    if kind == "float32":
        values[:, :TILE] = np.nan
    values = values.view(kind)
    opened = BatchImage((), (), values.shape, "", values.shape, lambda index: ())
    pages = TiffPages(tmp_path / "a.tif", opened, kind, {})
    pages.add(lambda y, x: values[y, x])
    pages.close()
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        empty, full = tiff.pages[0].databytecounts
    assert empty < 10_000
    assert TILE * TILE * 4 < full < TILE * TILE * 4 + 1000, "stored as it is"
    with Image.open(tmp_path / "a.tif") as image:  # by libtiff, as GDAL does
        np.testing.assert_array_equal(np.asarray(image), values)
