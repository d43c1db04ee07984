from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from napari_clip_heatmap.batch import thumbnails
from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult


def test_the_image_and_each_map_are_kept_small(run: Callable[..., Any], tmp_path: Path) -> None:
    y, x = np.mgrid[:330, :410]
    pixels = np.stack([y * 255 // 330, x * 255 // 410, np.full_like(y, 90)], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", pixels.astype(np.uint8))
    job = run(tmp_path / "a.tif", write=("maps",)).job
    found = thumbnails.read_thumbnails(job.thumbnails("a"))
    shown = [np.asarray(Image.open(io.BytesIO(each))) for each in found]
    assert len(shown) == 3
    first = np.asarray(Image.open(job.thumbnails("a")))  # as the viewer opens it
    np.testing.assert_array_equal(first, shown[0])
    assert {each.shape for each in shown} == {(110, 137, 3)}
    expected = pixels[1::3, 1::3][:110, :136]
    assert np.abs(shown[0][:, :136].astype(int) - expected).mean() < 6  # as JPEG
    assert not np.array_equal(shown[1], shown[2])


def test_no_larger_picture_is_made_for_them(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: Any
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((330, 410, 3), np.uint8) + 90)
    made: list[int] = []
    real = PlaneResult.image_picture

    def noted(self: PlaneResult, factor: int) -> Any:
        made.append(factor)
        return real(self, factor)

    monkeypatch.setattr(PlaneResult, "image_picture", noted)
    monkeypatch.setattr(thumbnails, "THUMBNAIL_SIDE", 50)
    run(tmp_path / "a.tif", write=("encodings",), prompts=())
    assert made == [9]
