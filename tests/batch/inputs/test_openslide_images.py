from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch.inputs.batch_image import ImageEntry
from napari_clip_heatmap.batch.inputs.image_list import list_images, open_image
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

PIXELS = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)


class Slide:
    """What OpenSlide gives of a slide of two levels whose left edge was not scanned."""

    level_count = 2
    level_downsamples = (1.0, 2.0)
    level_dimensions = ((80, 60), (40, 30))
    properties: ClassVar[dict[str, str]] = {
        "openslide.mpp-x": "0.25",
        "openslide.mpp-y": "0.5",
        "openslide.background-color": "F0F0F0",
    }

    def __init__(self, path: str) -> None:
        if Path(path).stat().st_size == 0:
            raise OSError("no slide")
        self.closed = False

    def read_region(self, corner: tuple[int, int], level: int, size: tuple[int, int]) -> Any:
        step = int(self.level_downsamples[level])
        opacity = np.full((60, 80, 1), 255, np.uint8)
        opacity[:, :10] = 0
        whole = np.concatenate([PIXELS, opacity], axis=-1)[::step, ::step]
        x, y = (at // step for at in corner)
        return whole[y : y + size[1], x : x + size[0]]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def slide(tmp_path: Path) -> ImageEntry:
    (tmp_path / "a.mrxs").write_bytes(b"jpeg")
    (entry,) = list_images(tmp_path / "a.mrxs", PictureChoice())
    return entry


def test_levels_colors_and_sizes(slide: ImageEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("openslide")
    module.OpenSlide, module.OpenSlideError = Slide, RuntimeError
    monkeypatch.setitem(sys.modules, "openslide", module)
    image = open_image(slide, PictureChoice())
    assert image.shape == (60, 80)
    assert image.pixel_size is not None
    assert (image.pixel_size.y, image.pixel_size.x) == (0.5, 0.25)
    (channel,) = image.channels(())
    fine, coarse = channel.levels
    expected = PIXELS.copy()
    expected[:, :10] = 0xF0
    np.testing.assert_array_equal(fine[5:30, 0:40, :], expected[5:30, 0:40])
    np.testing.assert_array_equal(coarse[5:20, 10:40, :], PIXELS[::2, ::2][5:20, 10:40])
    Path(slide.source).write_bytes(b"")
    with pytest.raises(ImageError, match="no slide"):
        open_image(slide, PictureChoice())


def test_without_openslide_it_is_said(slide: ImageEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(ImageError, match="slides"):
        open_image(slide, PictureChoice())


def test_a_tiled_tiff_is_read_by_openslide_itself(tmp_path: Path) -> None:
    pytest.importorskip("openslide")
    fine = np.random.default_rng(1).integers(0, 255, (512, 768, 3), dtype=np.uint8)
    path = tmp_path / "slide.svslide"
    with tifffile.TiffWriter(path) as writer:
        for number, level in enumerate((fine, fine[::2, ::2])):
            writer.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                compression="zlib",
                subfiletype=number,  # 1: a smaller one of the same picture
                resolution=(4e4, 2e4),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    (entry,) = list_images(path, PictureChoice())
    image = open_image(entry, PictureChoice())
    assert image.shape == (512, 768)
    assert image.pixel_size is not None
    assert (image.pixel_size.y, image.pixel_size.x) == pytest.approx((0.5, 0.25))
    (channel,) = image.channels(())
    first, second = channel.levels
    np.testing.assert_array_equal(first[100:400, 200:700, :], fine[100:400, 200:700])
    np.testing.assert_array_equal(second[10:200, 30:300, :], fine[::2, ::2][10:200, 30:300])
