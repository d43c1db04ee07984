"""Colors go through the color profile that a file carries, in every format that can carry one."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.imaging.pillow_images import needs_profile, pillow_array

D65 = [0.3127, 0.329, 1.0]
ADOBE_RGB = imagecodecs.cms_profile(
    "rgb", whitepoint=D65, primaries=[0.64, 0.33, 1, 0.21, 0.71, 1, 0.15, 0.06, 1], gamma=2.199
)
DISPLAY_P3 = imagecodecs.cms_profile(
    "rgb", whitepoint=D65, primaries=[0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1], gamma=2.2
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLORS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
SMOOTH = np.array(Image.fromarray(COLORS[:4, :5]).resize((40, 32), Image.Resampling.BICUBIC))


def expected(pixels, profile):
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    seen = ImageCms.profileToProfile(Image.fromarray(pixels), source, target)
    return np.asarray(seen).astype(float)


def png16(pixels, profile):
    """A 16-bit PNG with a profile, which Pillow does not write."""
    content = imagecodecs.png_encode(pixels.astype(np.uint16) * 257)
    body = b"iCCP" + b"icc\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content[:33] + chunk + content[33:]


@pytest.mark.parametrize("profile", [ADOBE_RGB, DISPLAY_P3], ids=["Adobe RGB", "Display P3"])
@pytest.mark.parametrize("kind", ["png", "webp", "jpg", "tif", "jpeg.tif", "palette.png"])
def test_8_bits(tmp_path, kind, profile):
    path, pixels = tmp_path / f"a.{kind}", SMOOTH
    if kind == "tif":
        tifffile.imwrite(path, pixels, photometric="rgb", iccprofile=profile)
    elif kind == "palette.png":
        image = Image.fromarray(pixels).quantize(200)
        pixels = np.asarray(image.convert("RGB"))
        image.save(path, icc_profile=profile)
    else:
        settings = {
            "webp": {"lossless": True},
            "jpg": {"quality": 98, "subsampling": 0},
            "jpeg.tif": {"compression": "jpeg", "quality": 98},
        }
        Image.fromarray(pixels).save(path, icc_profile=profile, **settings.get(kind, {}))
    difference = np.abs(read_image(path).astype(float) - expected(pixels, profile))
    assert np.abs(expected(pixels, profile) - pixels).mean() > 4
    assert difference.mean() < (2.5 if "jp" in kind else 0.2)
    if kind != "tif":
        with Image.open(path) as image:
            seen = pillow_array(image)
        assert np.abs(seen.astype(float) - expected(pixels, profile)).mean() < 2.5


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits_stay_16_bits(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        deep = SMOOTH.astype(np.uint16) * 257
        tifffile.imwrite(path, deep, photometric="rgb", iccprofile=ADOBE_RGB)
    else:
        path.write_bytes(png16(SMOOTH, ADOBE_RGB))
    seen = read_image(path)
    assert seen.dtype == np.uint16
    assert np.abs(seen / 257 - expected(SMOOTH, ADOBE_RGB)).mean() < 0.5


def test_opacity_is_no_color(tmp_path):
    pixels = np.dstack([SMOOTH, np.arange(32 * 40, dtype=np.uint8).reshape(32, 40)])
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=ADOBE_RGB)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"],
        iccprofile=ADOBE_RGB,
    )  # fmt: skip
    for name in ("a.png", "a.tif"):
        seen = read_image(tmp_path / name)
        np.testing.assert_array_equal(seen[..., 3], pixels[..., 3])
        np.testing.assert_allclose(seen[..., :3], expected(SMOOTH, ADOBE_RGB), atol=2)


def test_colors_of_srgb_are_left_as_they_are(tmp_path):
    assert not needs_profile(SRGB)
    assert not needs_profile(None)
    Image.fromarray(COLORS).save(tmp_path / "a.png", icc_profile=SRGB)
    tifffile.imwrite(tmp_path / "a.tif", COLORS, photometric="rgb", iccprofile=SRGB)
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), COLORS)


def test_a_profile_for_other_colors_is_left_out(tmp_path):
    gray = COLORS[..., 0]
    Image.fromarray(gray).save(tmp_path / "a.png", icc_profile=ADOBE_RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gray)


def test_a_damaged_profile_is_named(tmp_path):
    damaged = ADOBE_RGB[:40] + b"\xff" * (len(ADOBE_RGB) - 40)
    tifffile.imwrite(tmp_path / "a.tif", COLORS, photometric="rgb", iccprofile=damaged)
    with pytest.raises(ImageError, match="color profile"):
        read_image(tmp_path / "a.tif")
