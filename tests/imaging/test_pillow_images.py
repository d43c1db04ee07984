from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.pillow_images import array_of, count_pictures, orient, pillow_array

y, x = np.mgrid[:32, :40]
RGB = np.stack([5 * x + 20, 6 * y + 30, 3 * x + 2 * y], axis=-1).astype(np.uint8)
IMAGE = Image.fromarray(RGB)


@pytest.mark.parametrize("mode", ["1", "L", "I", "F", "RGB", "RGBA"])
def test_modes_that_are_arrays_already(mode: str) -> None:
    image = IMAGE.convert(mode)
    array = pillow_array(image)
    np.testing.assert_array_equal(array, np.asarray(image))
    assert array.dtype == {"1": bool, "I": np.int32, "F": np.float32}.get(mode, np.uint8)


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_modes_with_other_colors_become_rgb(mode: str) -> None:
    image = IMAGE.convert(mode)
    array = pillow_array(image)
    np.testing.assert_array_equal(array, np.asarray(image.convert("RGB")))
    assert np.corrcoef(array.ravel(), RGB.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("mode", ["LA", "La", "RGBa", "PA"])
def test_modes_with_opacity_become_rgba(mode: str) -> None:
    image = IMAGE.convert("RGBA")
    image.putalpha(IMAGE.convert("L").point(lambda value: max(value, 120)))
    straight = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    image = image.convert(straight) if straight == "RGBA" else image.convert("LA")
    image = image.convert(mode) if mode != "LA" else image
    array = pillow_array(image)
    expected = image.convert("LA").convert("RGBA") if mode == "La" else image.convert("RGBA")
    assert array.shape == (32, 40, 4)
    np.testing.assert_array_equal(array, np.asarray(expected))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_sixteen_bits_keep_their_values(mode: str) -> None:
    values = (x * 1000 + y).astype(np.uint16)
    stored = values.astype(">u2" if mode.endswith("B") else "<u2")
    image = Image.frombytes(mode, (40, 32), stored.tobytes())
    array = pillow_array(image)
    assert array.dtype == np.uint16
    np.testing.assert_array_equal(array, values)


def test_lab_is_converted_by_its_profile() -> None:
    lab = ImageCms.profileToProfile(
        IMAGE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    for profile in (lab.info["icc_profile"], b""):
        lab.info["icc_profile"] = profile
        assert np.abs(pillow_array(lab).astype(int) - RGB).mean() < 4


def test_a_profile_of_other_colors_is_left_out_and_a_broken_one_told() -> None:
    cmyk = IMAGE.convert("CMYK")
    plain = np.asarray(cmyk.convert("RGB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    cmyk.info["icc_profile"] = srgb
    np.testing.assert_array_equal(pillow_array(cmyk), plain)
    cmyk.info["icc_profile"] = b"no profile"
    with pytest.raises(ImageError, match="color profile"):
        pillow_array(cmyk)


@pytest.mark.parametrize("orientation", [*range(1, 9), 0, 9])
def test_pictures_are_turned_upright(orientation: int) -> None:
    image = IMAGE.copy()
    image.getexif()[0x0112] = orientation
    upright = pillow_array(image)
    np.testing.assert_array_equal(upright, np.asarray(ImageOps.exif_transpose(image)))
    assert upright.strides[-1] > 0
    np.testing.assert_array_equal(orient(RGB[..., 0], orientation), upright[..., 0])


def animated() -> Image.Image:
    file = io.BytesIO()
    frames = [Image.fromarray(np.roll(RGB, n, axis=0)) for n in range(3)]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return Image.open(file)


def test_the_first_frame_is_never_meant_in_silence() -> None:
    image = animated()
    assert count_pictures(image) == 3
    with pytest.raises(ImageError, match=r"3 pictures.*image\.seek"):
        pillow_array(image)
    np.testing.assert_array_equal(pillow_array(image.copy()), RGB)
    image.seek(2)
    np.testing.assert_array_equal(pillow_array(image), np.roll(RGB, 2, axis=0))


def test_anything_else_stays_what_it_is() -> None:
    for value in (RGB, [1, 2], None, 3):
        assert array_of(value) is value


@pytest.mark.parametrize("path", ["cells.tif", Path("cells.tif"), b"cells.tif", "x" * 5000])
def test_a_path_is_no_image_yet(path: object) -> None:
    with pytest.raises(ImageError, match=r"encode\(model, read_image\(path\)\)") as caught:
        as_channels(path)
    assert len(str(caught.value)) < 500


def test_encode_sees_what_pillow_shows(tiny_model) -> None:
    expected = nch.encode(tiny_model, RGB).token_map
    quantized = IMAGE.quantize(256)
    as_shown = nch.encode(tiny_model, np.asarray(quantized.convert("RGB"))).token_map
    np.testing.assert_array_equal(nch.encode(tiny_model, IMAGE).token_map, expected)
    np.testing.assert_array_equal(nch.encode(tiny_model, quantized).token_map, as_shown)
    with pytest.raises(ImageError, match="read_image"):
        nch.encode(tiny_model, "cells.tif")
