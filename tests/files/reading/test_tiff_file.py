from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image

STACK = np.arange(5 * 24 * 32, dtype=np.uint16).reshape(5, 24, 32)


def write_pages(path: Path, *pages: np.ndarray, **options: object) -> None:
    with tifffile.TiffWriter(path) as tiff:
        for page in pages:
            tiff.write(page, metadata=None, **options)


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        (STACK, r"holds 5 pictures \(5 pages\); choose with page=0 to 4"),
        ((STACK[0], STACK[1, ::2, ::2]), r"2 pictures \(0: 24 x 32 uint16, 1: 12 x 16 uint16\)"),
        ((STACK[0], STACK[1].astype(np.uint8)), r"series=0 to 1, or with page"),
    ],
)
def test_several_pages_are_never_the_first(
    pages: tuple[np.ndarray, ...], words: str, tmp_path: Path
) -> None:
    write_pages(tmp_path / "a.tif", *pages)
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / "a.tif")


def test_half_the_size_alone_makes_no_pyramid(tmp_path: Path) -> None:
    """tifffile takes such pages for levels; only tags say that they are."""
    half = STACK[0, ::2, ::2]
    write_pages(tmp_path / "a.tif", STACK[0], half)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.series) == 1
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", page=1), half)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", series=0), STACK[0])


def test_pages_of_several_sizes_are_counted_in_the_order_of_the_file(tmp_path: Path) -> None:
    pages = (STACK[0], STACK[1, :7], STACK[2], STACK[3, :7])
    write_pages(tmp_path / "a.tif", *pages)
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif", page=number), page)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", series=1, page=1), pages[3])
    with pytest.raises(ImageError, match="no page 4"):
        read_image(tmp_path / "a.tif", page=4)


def test_each_page_has_its_own_colors(tmp_path: Path) -> None:
    tables = [np.random.default_rng(n).integers(0, 256, (3, 256)) for n in range(2)]
    index = (STACK[0] % 256).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for table in tables:
            colormap = (table * 257).astype(np.uint16)
            tiff.write(index, metadata=None, photometric="palette", colormap=colormap)
    for number, table in enumerate(tables):
        seen = read_image(tmp_path / "a.tif", page=number)
        np.testing.assert_array_equal(seen, table.T[index])


def test_one_plane_of_a_large_block_is_mapped_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(STACK, photometric="minisblack", truncate=True, metadata={"axes": "ZYX"})
    outputs = []
    asarray = tifffile.TiffPageSeries.asarray

    def watched(series: object, **options: object) -> np.ndarray:
        outputs.append(options.get("out"))
        return asarray(series, **options)

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", watched)
    plane = read_image(tmp_path / "a.tif", z=3)
    np.testing.assert_array_equal(plane, STACK[3])
    assert outputs == ["memmap"]
    assert not isinstance(plane, np.memmap)


def test_planes_that_a_description_lists_and_the_file_lacks(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "TYX"}, compression="zlib")
    content = path.read_bytes()
    path.write_bytes(content.replace(b'SizeT="5"', b'SizeT="7"'))
    logging.getLogger("tifffile").disabled = True
    try:
        np.testing.assert_array_equal(read_image(path, time=4), STACK[4])
        with pytest.raises(ImageError, match=r"lacks planes|no time 6"):
            read_image(path, time=6)
    finally:
        logging.getLogger("tifffile").disabled = False


def test_missing_strips_are_no_black_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], compression="zlib", rowsperstrip=24)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["RowsPerStrip"].overwrite(6)
    logging.getLogger("tifffile").disabled = True
    try:
        with pytest.raises(ImageError, match="1 of 4 strips"):
            read_image(path)
    finally:
        logging.getLogger("tifffile").disabled = False


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_a_file_that_is_cut_short_is_no_picture(options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], **options)
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 97):
        path.write_bytes(content[:length])
        with pytest.raises(ImageError, match=r"a\.tif"):
            read_image(path)


def test_axes_that_are_no_picture(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(50, np.uint8))
    with pytest.raises(ImageError, match="axes X"):
        read_image(tmp_path / "a.tif")


def test_channels_that_are_colors_are_not_stacked(tmp_path: Path) -> None:
    colors = np.zeros((3, 8, 9, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", colors, photometric="rgb", metadata={"axes": "CYXS"})
    with pytest.raises(ImageError, match="channels that are colors"):
        read_image(tmp_path / "a.tif", channel=(0, 1, 2))
    assert read_image(tmp_path / "a.tif", channel=1).shape == (8, 9, 3)


@pytest.mark.parametrize("order", ["TZCYX", "ZTCYX", "CTZYX", "ZCTYX"])
def test_axes_of_ome_are_chosen_in_any_order(tmp_path, order):
    lengths = {"T": 2, "Z": 3, "C": 2, "Y": 9, "X": 12}
    data = np.arange(2 * 3 * 2 * 9 * 12).reshape([lengths[axis] for axis in order])
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, data.astype(np.uint16), ome=True, metadata={"axes": order}, photometric="minisblack"
    )
    at = {"T": 1, "Z": 2, "C": 0}
    expected = data[tuple(at.get(axis, slice(None)) for axis in order)]
    np.testing.assert_array_equal(read_image(path, time=1, z=2, channel=0), expected)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f2", "f4", "f8"])
def test_predictors_of_either_byte_order(tmp_path, byteorder, dtype):
    data = (np.random.default_rng(0).random((20, 30)) * 200).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, byteorder=byteorder, compression="zlib", predictor=True)
    np.testing.assert_array_equal(read_image(path), data)


@pytest.mark.parametrize("photometric", [5, 8])
def test_colors_of_one_sample_are_no_picture(tmp_path, photometric):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((20, 30), np.uint8), photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["PhotometricInterpretation"].overwrite(photometric)
    with pytest.raises(ImageError, match="1 sample per pixel"):
        read_image(path)


def test_a_size_of_a_damaged_file_is_refused_at_once(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite(2**32 - 1)
    with pytest.raises(ImageError, match="at most 16777216 a side"):
        read_image(path)
