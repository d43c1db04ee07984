from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.inputs.batch_image import BatchImage
from napari_clip_heatmap.batch.inputs.image_list import list_images, open_image
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

ALL = PictureChoice()
RANDOM = np.random.default_rng(0)
AXES = {
    "t": {"name": "t", "type": "time"},
    "c": {"name": "c", "type": "channel"},
    "z": {"name": "z", "type": "space"},
    "y": {"name": "y", "type": "space", "unit": "micrometer"},
    "x": {"name": "x", "type": "space", "unit": "micrometer"},
}
OMERO = {
    "channels": [
        {"color": "FF0000", "window": {"start": 0, "end": 200, "min": 0, "max": 255}},
        {"color": "0000FF", "window": {"start": 10, "end": 90, "min": 0, "max": 255}},
    ]
}


def write_image(
    path: Path, axes: str, shape: tuple[int, ...], version: str = "0.5", omero: Any = None
) -> np.ndarray:
    """Write an OME-Zarr image of two levels as the specification has it."""
    pixels = RANDOM.integers(0, 255, shape, dtype=np.uint8)
    new = version == "0.5"
    group = zarr.create_group(path, zarr_format=3 if new else 2, overwrite=True)
    datasets = []
    for level in range(2):
        data = pixels[..., :: 2**level, :: 2**level]
        array = group.create_array(str(level), shape=data.shape, dtype=data.dtype)
        array[...] = data
        scale = [1.0] * (len(axes) - 2) + [0.5 * 2**level, 0.25 * 2**level]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
        )
    about: dict[str, Any] = {
        "multiscales": [{"axes": [AXES[axis] for axis in axes], "datasets": datasets}]
    }
    about |= {"omero": omero} if omero else {}
    if new:
        group.attrs["ome"] = {"version": "0.5", **about}
    else:
        about["multiscales"][0]["version"] = "0.4"
        group.attrs.update(about)
    return pixels


def opened(path: Path, choice: PictureChoice = ALL) -> BatchImage:
    (entry,) = list_images(path, choice)
    return open_image(entry, choice)


def plane(image: BatchImage, index: tuple[int, ...], channel: int = 0) -> np.ndarray:
    level = image.channels(index)[channel].levels[0]
    return np.asarray(level[(slice(None),) * len(level.shape)])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_axes_levels_and_sizes(version: str, tmp_path: Path) -> None:
    pixels = write_image(tmp_path / "a.zarr", "tzyx", (3, 2, 8, 10), version)
    image = opened(tmp_path / "a.zarr")
    assert (image.axes, image.lengths, image.shape) == (("time", "z"), (3, 2), (8, 10))
    assert image.pixel_size is not None
    assert (image.pixel_size.y, image.pixel_size.x) == (0.5, 0.25)
    for index in image.planes:
        np.testing.assert_array_equal(plane(image, index), pixels[index])
    assert [level.shape for level in image.channels((0, 0))[0].levels] == [(8, 10), (4, 5)]
    one = opened(tmp_path / "a.zarr", PictureChoice(z=1))
    assert one.axes == ("time",)
    np.testing.assert_array_equal(plane(one, (2,)), pixels[2, 1])


def test_channels_in_the_colors_of_the_store(tmp_path: Path) -> None:
    pixels = write_image(tmp_path / "a.zarr", "cyx", (2, 8, 10), omero=OMERO)
    channels = opened(tmp_path / "a.zarr").channels(())
    assert [channel.limits for channel in channels] == [(0, 200), (10, 90)]
    assert [np.asarray(channel.lut)[1].tolist() for channel in channels] == [[1, 0, 0], [0, 0, 1]]
    np.testing.assert_array_equal(plane(opened(tmp_path / "a.zarr"), (), 1), pixels[1])
    (only,) = opened(tmp_path / "a.zarr", PictureChoice(channel=1)).channels(())
    assert only.lut is None


def test_channels_without_colors_are_asked_about(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", "cyx", (3, 8, 10))
    with pytest.raises(ImageError, match="--channel"):
        opened(tmp_path / "a.zarr")
    assert len(opened(tmp_path / "a.zarr", PictureChoice(channel=(2, 0, 1))).channels(())) == 3
    with pytest.raises(ImageError, match="no channel 7"):
        opened(tmp_path / "a.zarr", PictureChoice(channel=7))


def write_plate(path: Path) -> dict[str, np.ndarray]:
    group = zarr.create_group(path, zarr_format=3)
    wells = ["A/1", "A/2", "B/1"]
    group.attrs["ome"] = {
        "version": "0.5",
        "plate": {
            "rows": [{"name": "A"}, {"name": "B"}],
            "columns": [{"name": "1"}, {"name": "2"}],
            "wells": [
                {"path": well, "rowIndex": "AB".index(well[0]), "columnIndex": int(well[2]) - 1}
                for well in wells
            ],
        },
    }
    pixels = {}
    for well in wells:
        row = group.require_group(well)
        row.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}, {"path": "1"}]}}
        for field in "01":
            pixels[f"{well}/{field}"] = write_image(path / well / field, "yx", (8, 10))
    return pixels


def test_a_plate_gives_the_fields_of_its_wells(tmp_path: Path) -> None:
    pixels = write_plate(tmp_path / "p.ome.zarr")
    entries = list_images(tmp_path / "p.ome.zarr", ALL)
    assert [entry.part for entry in entries] == list(pixels)
    for entry in entries:
        image = open_image(entry, ALL)
        row, column, field = entry.part.split("/")
        assert image.place == {"row": row, "column": column, "field": field}
        np.testing.assert_array_equal(plane(image, ()), pixels[entry.part])
    well = list_images(tmp_path / "p.ome.zarr" / "B" / "1", ALL)
    assert [entry.part for entry in well] == ["0", "1"]


def test_plain_arrays(tmp_path: Path) -> None:
    data = RANDOM.integers(0, 255, (3, 8, 10), dtype=np.uint8)
    array = zarr.create_array(tmp_path / "a.zarr", shape=data.shape, dtype=data.dtype)
    array[...] = data
    image = opened(tmp_path / "a.zarr")
    assert (image.axes, image.lengths) == (("page",), (3,))
    np.testing.assert_array_equal(plane(image, (2,)), data[2])
    named = zarr.create_array(
        tmp_path / "b.zarr", shape=data.shape, dtype="u1", dimension_names=["t", "y", "x"]
    )
    assert named.shape == data.shape
    assert opened(tmp_path / "b.zarr").axes == ("time",)


def test_what_holds_no_image_is_said(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "a.zarr")
    with pytest.raises(ImageError, match="holds no image"):
        opened(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "zarr.json").write_text("{ damaged")
    with pytest.raises(ImageError, match=r"b\.zarr"):
        opened(tmp_path / "b.zarr")
    write_image(tmp_path / "c.zarr", "yx", (8, 10))
    about = json.loads((tmp_path / "c.zarr" / "zarr.json").read_text())
    about["attributes"]["ome"]["multiscales"][0]["datasets"][1]["path"] = "9"
    (tmp_path / "c.zarr" / "zarr.json").write_text(json.dumps(about))
    with pytest.raises(ImageError, match="9"):
        opened(tmp_path / "c.zarr")


def test_a_store_is_encoded_as_the_library_does(tiny_model: Any, tmp_path: Path) -> None:
    pixels = write_image(tmp_path / "a.zarr", "tyx", (2, 40, 50))
    image = opened(tmp_path / "a.zarr")
    ours = nch.encode(tiny_model, image.channels((1,)))
    theirs = nch.encode(tiny_model, pixels[1])
    np.testing.assert_allclose(ours.token_map, theirs.token_map, atol=1e-6)
