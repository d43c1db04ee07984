from __future__ import annotations

import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def header(name: str, value: object) -> bytes:
    return f"{name:8}= {value:>20}".ljust(80).encode()


def cube_of_fits(path: Path) -> None:
    cards = {"SIMPLE": "T", "BITPIX": 8, "NAXIS": 3, "NAXIS1": 10, "NAXIS2": 10, "NAXIS3": 4}
    lines = b"".join(header(name, value) for name, value in cards.items()) + b"END".ljust(80)
    path.write_bytes(lines.ljust(2880) + bytes(2880))


def animation(path: Path) -> None:
    frames = [Image.fromarray(np.roll(RGB, n, axis=0)) for n in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def of_two_depths(path: Path) -> None:
    Image.fromarray(RGB).save(path, bpc=2)


def with_a_fourth_channel(path: Path) -> None:
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 4, 20, 30, 8, 3)
    path.write_bytes(head + bytes(14) + np.dstack([RGB, RGB[..., 0]]).transpose(2, 0, 1).tobytes())


def drawing(path: Path) -> None:
    Image.fromarray(RGB).save(path)


def deep_text(path: Path) -> None:
    path.write_text("P3\n2 1\n65535\n1 2 3 40000 5 6\n")


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("cube.fits", cube_of_fits, "astropy"),
        ("moving.gif", animation, "3 time points"),
        ("moving.webp", animation, "--time, --page"),
        ("moving.png", animation, "holds 3 pictures"),
        ("stereo.mpo", animation, "holds 3 pictures"),
        ("deep.sgi", of_two_depths, "16 bits"),
        ("layers.psd", with_a_fourth_channel, r"channel=\(0, 1, 2\)"),
        ("drawing.eps", drawing, "export it"),
        ("deep.ppm", deep_text, "as text"),
    ],
)
def test_what_would_be_half_of_the_truth_is_refused(
    name: str, make: object, words: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(ImageError, match=words) as caught:
        read_image(tmp_path / name)
    assert name in str(caught.value)


def test_the_question_about_a_psd_can_be_answered(tmp_path: Path) -> None:
    with_a_fourth_channel(tmp_path / "a.psd")
    np.testing.assert_array_equal(read_image(tmp_path / "a.psd", channel=(0, 1, 2)), RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.psd", channel=3), RGB[..., 0])


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif_keeps_its_values(bits: int, tmp_path: Path) -> None:
    deep = RGB.astype(np.uint16) << (bits - 8)
    content = imagecodecs.avif_encode(deep, bitspersample=bits, level=100)
    (tmp_path / "a.avif").write_bytes(content)
    picture = read_image(tmp_path / "a.avif")
    assert picture.dtype == np.uint16
    assert np.abs(picture.astype(int) - deep).max() <= 2


def test_values_of_a_narrow_portable_map_are_as_stored(tmp_path: Path) -> None:
    values = np.arange(600, dtype=">u2").reshape(20, 30)
    (tmp_path / "a.pgm").write_bytes(b"P5\n30 20\n1023\n" + values.tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "a.pgm"), values)


def test_thumbnails_of_a_stereo_jpeg_are_no_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    animation(tmp_path / "a.mpo")
    kinds = ["Baseline MP Primary Image", "Large Thumbnail (VGA)", "Large Thumbnail (VGA)"]
    with Image.open(tmp_path / "a.mpo") as image:
        info = [
            {**entry, "Attribute": {"MPType": kind}}
            for entry, kind in zip(image.mpinfo[0xB002], kinds, strict=True)
        ]
        picture = np.asarray(image)
    original = Image.open

    def opened(path: Path) -> Image.Image:
        image = original(path)
        image.mpinfo[0xB002] = info
        return image

    monkeypatch.setattr(Image, "open", opened)
    np.testing.assert_array_equal(read_image(tmp_path / "a.mpo"), picture)


def test_pictures_beyond_pillows_limit_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert read_image(tmp_path / "a.png").shape == RGB.shape, "a warning of Pillow's is no error"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="tiled TIFF"):
        read_image(tmp_path / "a.png")
