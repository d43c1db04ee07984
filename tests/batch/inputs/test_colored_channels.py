from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from napari_clip_heatmap.batch.inputs.colored_channels import ChannelColor
from napari_clip_heatmap.batch.inputs.image_list import list_images, open_image
from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import View

SHAPE = (20, 30)


def stack() -> NDArray[np.uint16]:
    """Five channels of two time points."""
    return np.random.default_rng(0).integers(0, 1000, (2, 5, *SHAPE), dtype=np.uint16)


def write_ome_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "a.ome.tif", stack(), metadata={"axes": "TCYX"})
    return folder / "a.ome.tif"


def write_imagej(folder: Path) -> Path:
    tifffile.imwrite(folder / "a.tif", stack(), imagej=True, metadata={"axes": "TCYX"})
    return folder / "a.tif"


def write_ome_zarr(folder: Path) -> Path:
    group = zarr.open_group(folder / "a.ome.zarr", mode="w")
    group.create_array("0", data=stack())
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space"} for name in "yx"]
    scale = [{"type": "scale", "scale": [1, 1, 1, 1]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    multiscale = {"axes": axes, "datasets": datasets, "name": "a"}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return folder / "a.ome.zarr"


WAYS = [write_ome_tiff, write_imagej, write_ome_zarr]


def opened(path: Path, *colors: tuple[int, str]) -> Any:
    (entry,) = list_images(path, PictureChoice())
    return open_image(entry, PictureChoice(), [ChannelColor(*each) for each in colors])


def seen(image: Any, index: tuple[int, ...]) -> NDArray[np.float32]:
    channels = image.channels(index)
    appearance = View(limits=(0, 1000)).appearance(channels)
    return ImageSource(channels, appearance, SHAPE).read(slice(0, SHAPE[0]), slice(0, SHAPE[1]))


@pytest.mark.parametrize("write", WAYS)
def test_channels_are_added_each_in_its_color(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    image = opened(write(tmp_path), (4, "blue"), (1, "#ff8000"))
    assert (image.axes, image.lengths, image.shape) == (("time",), (2,), SHAPE)
    orange, blue = np.array([255, 128, 0]) / 255, np.array([0, 0, 1])
    for time, values in enumerate(stack().astype(float) / 1000):
        expected = values[1, ..., None] * orange + values[4, ..., None] * blue
        np.testing.assert_allclose(seen(image, (time,)), expected.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("write", WAYS)
def test_one_channel_may_have_a_color_and_none_that_is_not_there(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path)
    green = seen(opened(path, (2, "lime")), (1,))
    np.testing.assert_allclose(green[..., 1], stack()[1, 2] / 1000, atol=1e-5)
    assert not green[..., [0, 2]].any()
    with pytest.raises(ImageError, match="no channel 7"):
        opened(path, (0, "red"), (7, "lime"))


def test_colors_of_a_picture_are_channels_too(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    red = seen(opened(tmp_path / "a.npy", (2, "red")), ())
    np.testing.assert_allclose(red[..., 0], pixels[..., 2] / 1000, atol=1e-5)


def test_colors_are_kept_in_one_form_and_others_are_refused() -> None:
    written = ("CYAN", "#0ff", "#00FFFF", "hsl(180,100%,50%)", "rgb(0,255,255)")
    assert {ChannelColor(0, color).color for color in written} == {"#00ffff"}
    for color in ("", "nucleus", "#12", "0,0,1"):
        with pytest.raises(SettingsError, match="accepted: a name"):
            ChannelColor(0, color)
    with pytest.raises(SettingsError, match="would not be seen"):
        ChannelColor(3, "black")
