from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch.inputs.inside import check_inside, image_region, tissue_mask
from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.view import View


def slide(height: int = 400, width: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """A piece of stained tissue on glass, and where it is."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    truth = ((y - 150) / 90) ** 2 + ((x - 350) / 140) ** 2 < 1
    pixels = np.full((height, width, 3), (243, 241, 245), np.float64)
    pixels[truth] = (190, 120, 180)
    noise = random.normal(0, 6, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8), truth


def test_tissue_is_found_on_glass_and_in_the_dark() -> None:
    pixels, truth = slide()
    for picture in (pixels / 255, 1 - pixels / 255):
        found = tissue_mask(picture.astype(np.float32))
        assert found[truth].mean() > 0.99
        assert found[~truth].mean() < 0.05


def test_an_even_picture_has_no_tissue() -> None:
    assert not tissue_mask(np.full((50, 60, 3), 0.9, np.float32)).any()
    channels = as_channels(np.full((50, 60), 200, np.uint8))
    with pytest.raises(ImageError, match="no tissue"):
        image_region("tissue", channels, View())


def test_tiles_outside_are_not_read(run: Any, tmp_path: Path) -> None:
    pixels, truth = slide()
    tifffile.imwrite(tmp_path / "slide.tif", pixels)
    read: list[tuple[int, int]] = []
    from napari_clip_heatmap.batch.tiles import plane_tiles

    patch, real = pytest.MonkeyPatch(), plane_tiles.read_tile

    def counting(source: Any, lattice: Any, tile: tuple[int, int]) -> Any:
        read.append(tile)
        return real(source, lattice, tile)

    patch.setattr(plane_tiles, "read_tile", counting)
    worker = run(tmp_path / "slide.tif", inside="tissue", downsample=2.0)
    patch.undo()
    results = worker.outcomes[0].record["entry"]
    total = np.prod(results["encoding"]["tiles"])
    assert 0 < len(read) < 0.6 * total
    written = tifffile.imread(worker.job.folder / "slide_nuclei_heatmap.tif")
    assert np.isfinite(written[truth]).mean() > 0.99
    assert np.isnan(written[-40:]).all()


def test_labels_of_the_same_field_may_be_smaller(tmp_path: Path) -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[5:10, 10:20] = 4
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    channels = as_channels(np.zeros((200, 300), np.uint8))
    region = image_region(f"labels:{tmp_path / 'labels.tif'}", channels, View())
    y, x = np.arange(200) + 0.5, np.arange(300) + 0.5
    inside = region.inside(y, x)
    assert inside is not None
    np.testing.assert_array_equal(inside, np.kron(labels, np.ones((10, 10))) > 0)
    with pytest.raises(ImageError, match="accepted"):
        image_region(f"labels:{tmp_path / 'labels.tif'}", as_channels(np.zeros((9, 99))), View())


@pytest.mark.parametrize("text", ["cells", "labels:", "labels:no-such-file.tif"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="inside"):
        check_inside(text)
