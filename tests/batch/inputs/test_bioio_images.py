from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_clip_heatmap.batch.inputs import bioio_images
from napari_clip_heatmap.batch.inputs.image_list import find_sources, list_images, open_image
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

DATA = Path(__file__).parents[2] / "data"
STACK, COLORS = DATA / "stack.czi", DATA / "colors.czi"
"""Written with pylibCZIrw, the reading library's own writer; `stored` says what is in them."""

FIELD = np.mgrid[:40, :50]


def stored(time: int, channel: int, z: int) -> NDArray[np.uint16]:
    y, x = FIELD
    values: NDArray[np.uint16] = (3000 * time + 700 * channel + 90 * z + y + 2 * x).astype(
        np.uint16
    )
    return values


def pixels(image: Any, index: tuple[int, ...] = ()) -> NDArray[Any]:
    (channel,) = image.channels(index)
    return np.asarray(channel.levels[0])


def test_planes_channels_and_sizes() -> None:
    pytest.importorskip("bioio_czi")
    choice = PictureChoice(channel=1)
    (entry,) = list_images(STACK, choice)
    image = open_image(entry, choice)
    assert (image.axes, image.lengths, image.shape) == (("time", "z"), (2, 3), (40, 50))
    assert image.pixel_size is not None
    size = image.pixel_size
    assert (round(size.y, 6), round(size.x, 6), size.unit) == (0.25, 0.2, "micrometer")
    for time, z in image.planes:
        np.testing.assert_array_equal(pixels(image, (time, z)), stored(time, 1, z))


def test_one_plane() -> None:
    pytest.importorskip("bioio_czi")
    choice = PictureChoice(channel=0, time=1, z=2)
    (entry,) = list_images(STACK, choice)
    image = open_image(entry, choice)
    assert image.planes == [()]
    np.testing.assert_array_equal(pixels(image), stored(1, 0, 2))


def test_scenes_are_images_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = pytest.importorskip("bioio_ome_tiff").Reader
    monkeypatch.setattr(bioio_images, "_reader", lambda suffix: reader)
    path = tmp_path / "positions.nd2"
    scenes = np.random.default_rng(0).integers(0, 255, (2, 5, 30, 40), np.uint8)
    with tifffile.TiffWriter(path, ome=True) as writer:
        for scene in scenes:
            writer.write(scene, metadata={"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 1})
    entries = list_images(path, PictureChoice())
    assert [each.part for each in entries] == ["scene 0", "scene 1"]
    image = open_image(entries[1], PictureChoice())
    assert (image.axes, image.lengths) == (("time",), (5,))
    np.testing.assert_array_equal(pixels(image, (3,)), scenes[1, 3])


def test_stored_colors_are_red_green_blue() -> None:
    pytest.importorskip("bioio_czi")
    (entry,) = list_images(COLORS, PictureChoice())
    y, x = FIELD
    expected = np.stack([4 * y, 5 * x, y + x], axis=-1).astype(np.uint8)
    np.testing.assert_array_equal(pixels(open_image(entry, PictureChoice())), expected)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (PictureChoice(), "--channel 0 to 1"),
        (PictureChoice(channel=2), "no channel 2"),
        (PictureChoice(channel=0, z=3), "no z 3"),
        (PictureChoice(channel=0, series=2), "no series 2"),
    ],
)
def test_what_is_not_there_or_not_chosen_is_said(choice: PictureChoice, reason: str) -> None:
    pytest.importorskip("bioio_czi")
    with pytest.raises(ImageError, match=reason):
        open_image(list_images(STACK, choice)[0], choice)


@pytest.mark.parametrize(
    ("suffix", "reader"), [(".czi", "bioio_czi"), (".lif", "bioio_lif"), (".nd2", "bioio_nd2")]
)
@pytest.mark.parametrize("content", [b"", b"junk" * 1000, b"half"])
def test_damaged_files_are_said_to_be(
    suffix: str, reader: str, content: bytes, tmp_path: Path
) -> None:
    pytest.importorskip(reader)
    path = tmp_path / f"cells{suffix}"
    path.write_bytes(STACK.read_bytes()[:2000] if content == b"half" else content)
    (entry,) = list_images(path, PictureChoice())
    with pytest.raises(ImageError, match="BioIO"):
        open_image(entry, PictureChoice())


@pytest.mark.parametrize("suffix", [".czi", ".lif", ".nd2"])
def test_without_bioio_it_is_said(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bioio", None)
    (tmp_path / f"cells{suffix}").write_bytes(b"junk")
    (source,) = find_sources([str(tmp_path)])
    (entry,) = list_images(source, PictureChoice())
    with pytest.raises(ImageError, match=r"pip install 'napari-clip-heatmap\[formats\]'"):
        open_image(entry, PictureChoice())
