"""Many kinds of files, each made here, against the picture that its maker meant."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

import napari_clip_heatmap as nch

HEIGHT, WIDTH = 42, 64

Picture = NDArray[Any]


def gray8() -> Picture:
    """A picture that no turn, mirror image or inversion leaves as it is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (3 * x + np.where(y < 12, 60, 0) + y % 5).astype(np.uint8)


def rgb8() -> Picture:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([3 * x + 20, 5 * y, 2 * x + y], axis=-1).astype(np.uint8)


def gray16() -> Picture:
    return gray8().astype(np.uint16) * 201 + 7


def rgb16() -> Picture:
    return rgb8().astype(np.uint16) * 231 + 11


def alpha8() -> Picture:
    return np.where(gray8() > 90, 255, gray8()).astype(np.uint8)


def rgba8() -> Picture:
    return np.dstack([rgb8(), alpha8()])


def smooth_rgb() -> Picture:
    """Colors that JPEG keeps nearly as they are."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([2 * x + 40, 2 * y + 60, 220 - x - y], axis=-1).astype(np.uint8)


def opened(path: Path, mode: str = "", frame: int = 0) -> Picture:
    """A file as Pillow sees it."""
    with Image.open(path) as image:
        image.seek(frame)
        return np.asarray(image.convert(mode) if mode else image)


def grays(gray: Picture, alpha: Picture) -> Picture:
    return np.dstack([gray, gray, gray, alpha])


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, and the function that writes one and returns the picture."""

    name: str
    make: Callable[[Path], Picture]
    choice: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0


KINDS: list[Kind] = []


def kind(name: str, *, tolerance: float = 0.0, **choice: Any) -> Callable[..., Any]:
    """Add a function to the table."""

    def add(make: Callable[[Path], Picture]) -> Callable[[Path], Picture]:
        KINDS.append(Kind(name, make, choice, tolerance))
        return make

    return add


def stored(name: str, picture: Callable[[], Picture], *, tolerance: float = 0.0, **write: Any):
    """Add a TIFF of a picture that is to be read as it was given to tifffile."""

    def make(path: Path) -> Picture:
        tifffile.imwrite(path, picture(), **write)
        return picture()

    KINDS.append(Kind(name, make, tolerance=tolerance))


def saved(name: str, mode: str, *, tolerance: float = 0.0, **save: Any) -> None:
    """Add a file that Pillow writes, to be seen as Pillow converts it."""

    def make(path: Path) -> Picture:
        image = Image.fromarray(rgb8()).convert(mode)
        image.save(path, **save)
        shown = image if mode in ("1", "L", "I", "F", "RGB", "RGBA") else image.convert("RGB")
        return np.asarray(shown)

    KINDS.append(Kind(name, make, tolerance=tolerance))


# What is read as it is stored
for dtype in (
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "float16",
    "float32",
    "float64",
):
    stored(
        f"{dtype}.tif", lambda dtype=dtype: (gray8() // 2).astype(dtype), photometric="minisblack"
    )
stored("big_endian.tif", gray16, byteorder=">")
stored("bigtiff.tif", gray16, bigtiff=True)
stored("tiled.tif", rgb8, tile=(16, 16))
stored("strips.tif", rgb16, rowsperstrip=5)
stored("rgb16.tif", rgb16, photometric="rgb")
stored("rgb_float.tif", lambda: (rgb8() / 255).astype(np.float32), photometric="rgb")
stored("rgba.tif", rgba8, photometric="rgb", extrasamples=["unassalpha"])
for compression in ("lzw", "zlib", "zstd", "lzma", "packbits", "lerc", "jpeg2000", "png", "webp"):
    picture = rgb8 if compression == "webp" else gray8
    lossless = {"lossless": True} if compression == "webp" else {}
    compressionargs = {"compressionargs": lossless} if lossless else {}
    stored(f"{compression}.tif", picture, compression=compression, **compressionargs)
stored("jpegxl.tif", rgb8, compression="jpegxl", compressionargs={"level": 100}, tolerance=1)
stored("jpeg.tif", smooth_rgb, compression="jpeg", compressionargs={"level": 98}, tolerance=8)
stored("predictor2.tif", rgb16, compression="lzw", predictor=2)
stored("predictor3.tif", lambda: gray8() / np.float32(7), compression="zlib", predictor=3)
stored("named_axes.tif", gray16, metadata={"axes": "YX"})
stored("imagej.tif", gray16, imagej=True)
stored("ome.ome.tif", gray16, ome=True)
stored("stack_like.stk", gray16)
stored("slide.qptiff", rgb8)
stored("picture.dat", rgb8)


@kind("planar.tif")
def planar(path):
    tifffile.imwrite(path, np.moveaxis(rgb16(), -1, 0), photometric="rgb", planarconfig="separate")
    return rgb16()


@kind("leading_one.tif")
def leading_one(path):
    tifffile.imwrite(path, gray16()[None, None], metadata={"axes": "TZYX"})
    return gray16()


@kind("x_first.tif")
def x_first(path):
    tifffile.imwrite(path, gray16().T, metadata={"axes": "XY"})
    return gray16()


# Bits
@kind("one_bit.tif")
def one_bit(path):
    Image.fromarray(gray8()).convert("1").save(path)
    return np.asarray(Image.fromarray(gray8()).convert("1"))


@kind("ccitt4.tif")
def ccitt4(path):
    image = Image.fromarray(gray8()).convert("1")
    image.save(path, compression="group4")
    return np.asarray(image)


@kind("ccitt3_white.tif")
def ccitt3_white(path):
    image = Image.fromarray(gray8()).convert("1")
    image.save(path, compression="group3", tiffinfo={262: 0})
    return opened(path)


@kind("two_bits.tif")
def two_bits(path):
    tifffile.imwrite(path, gray8() >> 6, bitspersample=2)
    shown = opened(path)
    np.testing.assert_array_equal(shown, (gray8() >> 6) * 85)
    return shown


@kind("four_bits.tif")
def four_bits(path):
    tifffile.imwrite(path, gray8() >> 4, bitspersample=4)
    return (gray8() >> 4) * 17


@kind("four_bits_white.tif")
def four_bits_white(path):
    tifffile.imwrite(path, gray8() >> 4, bitspersample=4, photometric="miniswhite")
    return 255 - (gray8() >> 4) * 17


@kind("twelve_bits.tif")
def twelve_bits(path):
    tifffile.imwrite(path, gray16() >> 4, bitspersample=12)
    return gray16() >> 4


@kind("twelve_bits_white.tif")
def twelve_bits_white(path):
    tifffile.imwrite(path, gray16() >> 4, bitspersample=12, photometric="miniswhite")
    return 4095 - (gray16() >> 4)


@kind("rgb12.tif")
def rgb12(path):
    tifffile.imwrite(path, rgb16() >> 4, bitspersample=12, photometric="rgb")
    return rgb16() >> 4


# Min-is-white and lookup tables
for dtype in (np.uint8, np.uint16, np.uint32):

    def white(path, dtype=dtype):
        tifffile.imwrite(path, gray8().astype(dtype), photometric="miniswhite")
        return np.iinfo(dtype).max - gray8().astype(dtype)

    KINDS.append(Kind(f"white_{np.dtype(dtype)}.tif", white))


@kind("white_pillow.tif")
def white_pillow(path):
    Image.fromarray(gray8()).save(path, tiffinfo={262: 0})
    shown = opened(path)
    np.testing.assert_array_equal(shown, gray8())
    return shown


@kind("white_bool.tif")
def white_bool(path):
    tifffile.imwrite(path, gray8() > 99, photometric="miniswhite")
    return gray8() <= 99


@kind("white_int16.tif")
def white_int16(path):
    values = gray8().astype(np.int16) - 100
    tifffile.imwrite(path, values, photometric="miniswhite")
    return -1 - values


@kind("white_float.tif", tolerance=1e-4)
def white_float(path):
    values = gray8().astype(np.float32)
    tifffile.imwrite(path, values, photometric="miniswhite")
    return values.max() + values.min() - values


@kind("palette.tif")
def palette(path):
    image = Image.fromarray(rgb8()).quantize(200)
    image.save(path)
    return np.asarray(image.convert("RGB"))


def ramp(*, inverted: bool = False) -> Picture:
    values = np.arange(256)[::-1] if inverted else np.arange(256)
    return np.stack([values] * 3).astype(np.uint8)


def fire() -> Picture:
    values = np.arange(256)
    return np.stack([values, values // 2, 255 - values]).astype(np.uint8)


@kind("palette_inverting.tif")
def palette_inverting(path):
    colormap = ramp(inverted=True).astype(np.uint16) * 257
    tifffile.imwrite(path, gray8(), photometric="palette", colormap=colormap)
    return np.dstack([255 - gray8()] * 3)


@kind("palette16.tif")
def palette16(path):
    table = np.random.default_rng(0).integers(0, 65536, (3, 65536), dtype=np.uint16)
    tifffile.imwrite(path, gray16(), photometric="palette", colormap=table)
    return (table.T[gray16()] >> 8).astype(np.uint8)


@kind("palette_four_bits.tif")
def palette_four_bits(path):
    image = Image.fromarray(rgb8()).quantize(16)
    image.save(path, bits=4)
    return opened(path, "RGB")


@kind("imagej_inverting.tif")
def imagej_inverting(path):
    tifffile.imwrite(path, gray8(), imagej=True, metadata={"LUTs": [ramp(inverted=True)]})
    return 255 - gray8()


@kind("imagej_inverting16.tif")
def imagej_inverting16(path):
    tifffile.imwrite(path, gray16(), imagej=True, metadata={"LUTs": [ramp(inverted=True)]})
    return 65535 - gray16()


@kind("imagej_gray.tif")
def imagej_gray(path):
    tifffile.imwrite(path, gray16(), imagej=True, metadata={"LUTs": [ramp()]})
    return gray16()


@kind("imagej_fire.tif")
def imagej_fire(path):
    tifffile.imwrite(path, gray8(), imagej=True, metadata={"LUTs": [fire()]})
    return fire().T[gray8()]


@kind("imagej_fire16.tif", tolerance=300)
def imagej_fire16(path):
    metadata = {"LUTs": [fire()], "Ranges": (1000.0, 30000.0)}
    tifffile.imwrite(path, gray16(), imagej=True, metadata=metadata)
    unit = np.clip((gray16() - 1000.0) / 29000.0, 0, 1)
    return (fire().T[np.rint(unit * 255).astype(int)].astype(float) * 257).astype(np.uint16)


@kind("imagej_rgb.tif")
def imagej_rgb(path):
    tifffile.imwrite(path, rgb8(), imagej=True)
    return rgb8()


# Other color spaces
def cmyk() -> Image.Image:
    return Image.fromarray(smooth_rgb()).convert("CMYK")


@kind("cmyk.tif")
def cmyk_tiff(path):
    cmyk().save(path)
    return np.asarray(cmyk().convert("RGB"))


@kind("cmyk_jpeg_in.tif", tolerance=4)
def cmyk_jpeg_in_tiff(path):
    cmyk().save(path, compression="jpeg", quality=98)
    return opened(path, "RGB")


@kind("cmyk16.tif", tolerance=260)
def cmyk16(path):
    inks = np.asarray(cmyk()).astype(np.uint16) * 257
    tifffile.imwrite(path, inks, photometric="separated")
    return np.asarray(cmyk().convert("RGB")).astype(np.uint16) * 257


@kind("cmyk.jpg")
def cmyk_jpeg(path):
    cmyk().save(path, quality=98)
    return opened(path, "RGB")


def cmyk_profile() -> bytes:
    """A small ICC profile of a printer whose inks are not what the plain formula takes them for."""
    colors = []
    for cyan, magenta, yellow, black in np.ndindex(2, 2, 2, 2):
        light = 255 * (1 - 0.9 * black) * (1 - 0.3 * cyan - 0.35 * magenta - 0.05 * yellow)
        a = 128 + (1 - black) * (60 * magenta - 50 * cyan)
        b = 128 + (1 - black) * (70 * yellow - 40 * cyan)
        colors += [int(light), int(a), int(b)]
    curve = bytes(range(256))
    identity = struct.pack(">9i", *np.eye(3, dtype=int).ravel() * 65536)
    lut = (
        b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + curve * 4 + bytes(colors) + curve * 3
    )
    title = b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78)
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": title, b"cprt": b"text" + bytes(4) + b"none\0"}
    tags |= {b"wtpt": b"XYZ " + bytes(4) + white, b"A2B0": lut}
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">2I", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + white
    return head + bytes(128 - len(head)) + table + body


def through_profile(image: Image.Image, profile: bytes) -> Picture:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, source, srgb, outputMode="RGB"))


@kind("cmyk_profile.tif", tolerance=1)
def cmyk_profile_tiff(path):
    cmyk().save(path, icc_profile=cmyk_profile())
    expected = through_profile(cmyk(), cmyk_profile())
    assert np.abs(expected.astype(int) - np.asarray(cmyk().convert("RGB"))).max() > 40
    return expected


@kind("cmyk16_profile.tif", tolerance=260)
def cmyk16_profile(path):
    inks = np.asarray(cmyk()).astype(np.uint16) * 257
    tifffile.imwrite(path, inks, photometric="separated", iccprofile=cmyk_profile())
    return through_profile(cmyk(), cmyk_profile()).astype(np.uint16) * 257


@kind("cmyk_profile.jpg", tolerance=1)
def cmyk_profile_jpeg(path):
    cmyk().save(path, quality=98, icc_profile=cmyk_profile())
    with Image.open(path) as image:
        return through_profile(image, cmyk_profile())


@kind("cmyk_alien_profile.tif")
def cmyk_alien_profile(path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    cmyk().save(path, icc_profile=srgb)
    return np.asarray(cmyk().convert("RGB"))


@kind("ycbcr.tif", tolerance=1)
def ycbcr(path):
    image = Image.fromarray(rgb8()).convert("YCbCr")
    image.save(path)
    return np.asarray(image.convert("RGB"))


@kind("ycbcr_jpeg_in.tif", tolerance=3)
def ycbcr_jpeg_in_tiff(path):
    tifffile.imwrite(path, smooth_rgb(), photometric="rgb", compression="jpeg", subsampling=(2, 2))
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].photometric.name == "YCBCR"
    return opened(path, "RGB")


@kind("ycbcr_video_range.tif", tolerance=4)
def ycbcr_video_range(path):
    studio = cv2.cvtColor(smooth_rgb(), cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]].astype(float)
    studio = np.rint(studio * [219, 224, 224] / 255 + [16, 16, 16])
    reference = (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)
    tags = [(532, 5, 6, reference, True)]
    tifffile.imwrite(path, studio.astype(np.uint8), photometric="ycbcr", extratags=tags)
    return smooth_rgb()


def lab() -> Image.Image:
    srgb, target = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = Image.fromarray(smooth_rgb())
    return ImageCms.profileToProfile(image, srgb, target, outputMode="LAB")


def lab_as_rgb() -> Picture:
    source, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(lab(), source, srgb, outputMode="RGB"))


@kind("lab.tif", tolerance=1)
def lab_tiff(path):
    lab().save(path)
    return lab_as_rgb()


@kind("icclab.tif", tolerance=1)
def icclab(path):
    values = np.asarray(lab()) ^ np.array([0, 128, 128], np.uint8)
    tifffile.imwrite(path, values, photometric="icclab")
    return lab_as_rgb()


@kind("lab16.tif", tolerance=1300)
def lab16(path):
    values = np.asarray(lab()).view(np.int8).astype(np.int16)
    values = np.dstack([(values[..., :1] & 255).astype(np.uint16) * 257, values[..., 1:] * 256])
    tifffile.imwrite(path, values.astype(np.int32).astype(np.uint16), photometric="cielab")
    return smooth_rgb().astype(np.uint16) * 257  # Pillow's conversion in 8 bits is coarser


@kind("icclab16.tif", tolerance=1300)
def icclab16(path):
    offset = np.asarray(lab()) ^ np.array([0, 128, 128], np.uint8)
    tifffile.imwrite(path, offset.astype(np.uint16) * 256, photometric="icclab")
    return smooth_rgb().astype(np.uint16) * 257


# Opacity
@kind("gray_alpha.tif")
def gray_alpha(path):
    pixels = np.dstack([gray8(), alpha8()])
    tifffile.imwrite(
        path, pixels, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    return grays(gray8(), alpha8())


@kind("premultiplied.tif", tolerance=3)
def premultiplied(path):
    alpha = np.maximum(alpha8(), 100)
    multiplied = np.rint(rgb8() * (alpha[..., None] / 255)).astype(np.uint8)
    pixels = np.dstack([multiplied, alpha])
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["assocalpha"])
    return np.dstack([rgb8(), alpha])


@kind("premultiplied16.tif", tolerance=3)
def premultiplied16(path):
    alpha = np.maximum(alpha8(), 100).astype(np.uint16) * 257
    multiplied = np.rint(rgb16() * (alpha[..., None] / 65535)).astype(np.uint16)
    pixels = np.dstack([multiplied, alpha])
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["assocalpha"])
    return np.dstack([rgb16(), alpha])


@kind("undeclared_first_three.tif", channel=(0, 1, 2))
def undeclared_first_three(path):
    tifffile.imwrite(path, rgba8(), photometric="rgb", extrasamples=["unspecified"])
    return rgb8()


@kind("undeclared_fourth.tif", channel=3)
def undeclared_fourth(path):
    tifffile.imwrite(path, rgba8(), photometric="rgb", extrasamples=["unspecified"])
    return alpha8()


# Orientation
for value in range(1, 9):

    def turned_tiff(path, value=value):
        tifffile.imwrite(path, rgb16(), extratags=[(274, 3, 1, value, True)])
        image = Image.fromarray(rgb8())
        image.getexif()[274] = value
        meant = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(opened(path), (meant * 231.0 + 11) // 256)
        return meant.astype(np.uint16) * 231 + 11

    def turned_png(path, value=value):
        exif = Image.Exif()
        exif[274] = value
        Image.fromarray(rgb8()).save(path, exif=exif, lossless=True)
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image))

    KINDS.append(Kind(f"turned_{value}.tif", turned_tiff))
    KINDS += [Kind(f"turned_{value}.{suffix}", turned_png) for suffix in ("png", "webp", "jpg")]


@kind("turned16.png")
def turned16(path):
    exif = Image.Exif()
    exif[274] = 6
    content = imagecodecs.png_encode(rgb16())
    chunk = b"eXIf" + exif.tobytes()[6:]
    end = 33  # after the header
    sealed = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", imagecodecs.zlib_crc32(chunk))
    )
    path.write_bytes(content[:end] + sealed + content[end:])
    return np.rot90(rgb16(), -1)


# What Pillow reads
for mode, suffix in (("1", "png"), ("L", "png"), ("P", "png"), ("RGB", "png"), ("RGBA", "png")):
    saved(f"{mode}.{suffix}", mode)
for suffix in ("bmp", "gif", "pcx", "tga", "ppm", "webp", "jp2", "avif", "ico", "jpg"):
    mode = {"gif": "P", "pcx": "RGB"}.get(suffix, "RGB")

    def by_pillow(path, mode=mode):
        Image.fromarray(rgb8()).convert(mode).save(path)
        return opened(path, "RGB")

    KINDS.append(Kind(f"plain.{suffix}", by_pillow))
saved("gray.jpg", "L", quality=100, tolerance=3)


@kind("gray16.png")
def gray16_png(path):
    Image.fromarray(gray16()).save(path)
    return gray16()


@kind("rgb16.png")
def rgb16_png(path):
    cv2.imwrite(str(path), rgb16()[..., ::-1])
    return rgb16()


@kind("rgba16.png")
def rgba16_png(path):
    pixels = np.dstack([rgb16(), gray16()])
    path.write_bytes(imagecodecs.png_encode(pixels))
    return pixels


@kind("gray_alpha.png")
def gray_alpha_png(path):
    Image.fromarray(rgba8()).convert("LA").save(path)
    return opened(path, "RGBA")


@kind("gray_alpha16.png")
def gray_alpha16_png(path):
    path.write_bytes(imagecodecs.png_encode(np.dstack([gray16(), rgb16()[..., 0]])))
    return grays(gray16(), rgb16()[..., 0])


@kind("palette_alpha.png")
def palette_alpha(path):
    image = Image.fromarray(rgb8()).quantize(64)
    image.save(path, transparency=bytes(range(64)))
    return opened(path, "RGBA")


@kind("transparent_color.png")
def transparent_color(path):
    color = tuple(int(value) for value in rgb8()[5, 6])
    Image.fromarray(rgb8()).save(path, transparency=color)
    opacity = np.where((rgb8() == color).all(axis=-1), 0, 255).astype(np.uint8)
    return np.dstack([rgb8(), opacity])


@kind("transparent_gray16.png")
def transparent_gray16(path):
    Image.fromarray(gray16()).save(path, transparency=int(gray16()[5, 6]))
    return grays(gray16(), np.where(gray16() == gray16()[5, 6], 0, 65535).astype(np.uint16))


@kind("gray16.pgm")
def gray16_pgm(path):
    cv2.imwrite(str(path), gray16())
    return gray16()


@kind("rgb16.ppm")
def rgb16_ppm(path):
    cv2.imwrite(str(path), rgb16()[..., ::-1])
    return rgb16()


@kind("rgb16.jp2")
def rgb16_jp2(path):
    path.write_bytes(imagecodecs.jpeg2k_encode(rgb16(), reversible=True, codecformat="jp2"))
    return rgb16()


@kind("still.gif")
def still_gif(path):
    image = Image.fromarray(rgb8()).quantize(100)
    image.save(path, save_all=True, transparency=3)
    return opened(path, "RGBA")


@kind("merged.psd")
def merged_psd(path):
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, HEIGHT, WIDTH, 8, 3)
    path.write_bytes(head + bytes(14) + np.moveaxis(rgb8(), -1, 0).tobytes())
    return rgb8()


@kind("cmyk.psd")
def cmyk_psd(path):
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 4, HEIGHT, WIDTH, 8, 4)
    path.write_bytes(head + bytes(14) + np.moveaxis(255 - np.asarray(cmyk()), -1, 0).tobytes())
    return np.asarray(cmyk().convert("RGB"))


@kind("array.npy")
def array_npy(path):
    np.save(path, rgb16())
    return rgb16()


@kind("leading_one.npy")
def leading_one_npy(path):
    np.save(path, gray16()[None])
    return gray16()


# One picture, with thumbnails, levels or a mask
@kind("pyramid.tif")
def pyramid(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(rgb16(), subifds=2, tile=(16, 16), photometric="rgb")
        tiff.write(rgb16()[::2, ::2], subfiletype=1, tile=(16, 16), photometric="rgb")
        tiff.write(rgb16()[::4, ::4], subfiletype=1, tile=(16, 16), photometric="rgb")
    return rgb16()


@kind("pyramid_pages.tif")
def pyramid_pages(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(gray16(), metadata=None)
        tiff.write(gray16()[::2, ::2], subfiletype=1, metadata=None)
        tiff.write(gray16()[::4, ::4], subfiletype=1, metadata=None)
    return gray16()


@kind("thumbnail_first.tif")
def thumbnail_first(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(rgb8()[::3, ::3], subfiletype=1, metadata=None)
        tiff.write(rgb8(), metadata=None)
    return rgb8()


@kind("thumbnail_below.tif")
def thumbnail_below(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(rgb8(), subifds=1, metadata=None)
        tiff.write(rgb8()[::5, ::5], metadata=None)
    return rgb8()


@kind("picture_below.tif")
def picture_below(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(rgb8()[::5, ::5], subifds=1, subfiletype=1, metadata=None)
        tiff.write(rgb8(), metadata=None)
    return rgb8()


@kind("mask.tif")
def with_mask(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(rgb8(), metadata=None, photometric="rgb")
        tiff.write(gray8() > 9, metadata=None, subfiletype=4, photometric="mask")
    return rgb8()


@kind("nodata.tif")
def nodata(path):
    values = gray8().astype(np.float32)
    values[3:6, 4:9] = -9999
    tifffile.imwrite(path, values, extratags=[(42113, 2, 6, "-9999", True)])
    return np.where(values == -9999, np.nan, values)


# One of several
def pages() -> Picture:
    return np.stack([gray16() + 1000 * n for n in range(5)])


@kind("pages.tif", page=3)
def page_of_pages(path):
    with tifffile.TiffWriter(path) as tiff:
        for each in pages():
            tiff.write(each, metadata=None)
    return pages()[3]


@kind("block.tif", page=3)
def page_of_a_block(path):
    tifffile.imwrite(path, pages(), photometric="minisblack")
    return pages()[3]


@kind("truncated.tif", page=2)
def page_of_one_ifd(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(pages(), photometric="minisblack", truncate=True)
    return pages()[2]


@kind("sizes.tif", page=1)
def page_of_another_size(path):
    with tifffile.TiffWriter(path) as tiff:
        for step in (1, 2, 3):
            tiff.write(gray16()[::step, ::step], metadata=None)
    return gray16()[::2, ::2]


@kind("series.tif", series=1)
def series_of_another_size(path):
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(gray16())
        tiff.write(rgb8(), photometric="rgb")
    return rgb8()


def hyperstack() -> Picture:
    """(time, z, channel, y, x)"""
    return (np.arange(24, dtype=np.uint16).reshape(2, 3, 4, 1, 1) * 700 + gray16() // 3).astype(
        np.uint16
    )


LUTS = [
    np.stack([ramp()[0] * (n == color) for n in range(3)]).astype(np.uint8) for color in (0, 1, 2)
]


@kind("hyperstack.tif", time=1, z=2, channel=3)
def imagej_hyperstack(path):
    tifffile.imwrite(path, hyperstack(), imagej=True, metadata={"axes": "TZCYX"})
    return hyperstack()[1, 2, 3]


@kind("hyperstack_page.tif", page=7)
def imagej_page(path):
    tifffile.imwrite(path, hyperstack(), imagej=True, metadata={"axes": "TZCYX"})
    return hyperstack().reshape(24, HEIGHT, WIDTH)[7]


@kind("composite.tif", channel=1)
def composite(path):
    metadata = {"axes": "CYX", "mode": "composite", "LUTs": LUTS}
    tifffile.imwrite(path, pages()[:3], imagej=True, metadata=metadata)
    return pages()[1]


@kind("composite_rgb.tif", channel=(2, 0, 1))
def composite_rgb(path):
    metadata = {"axes": "CYX", "mode": "composite", "LUTs": LUTS}
    tifffile.imwrite(path, pages()[:3], imagej=True, metadata=metadata)
    return np.moveaxis(pages()[[2, 0, 1]], 0, -1)


@kind("times.ome.tif", time=1, channel=0, z=2)
def ome_hyperstack(path):
    tifffile.imwrite(path, hyperstack(), ome=True, metadata={"axes": "TZCYX"})
    return hyperstack()[1, 2, 0]


@kind("positions.ome.tif", series=2)
def ome_positions(path):
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for each in pages()[:4]:
            tiff.write(each)
    return pages()[2]


@kind("contiguous_ome.ome.tif", series=1, channel=1)
def ome_series_and_channel(path):
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for n in range(2):
            tiff.write(pages()[n : n + 2], photometric="minisblack", metadata={"axes": "CYX"})
    return pages()[2]


@kind("stack_pyramid.tif", page=1)
def page_of_a_pyramid(path):
    with tifffile.TiffWriter(path) as tiff:
        for each in pages()[:3]:
            tiff.write(each, subifds=1, metadata=None)
            tiff.write(each[::2, ::2], subfiletype=1, metadata=None)
    return pages()[1]


@kind("channels.tif", channel=1)
def samples_as_channels(path):
    tifffile.imwrite(
        path, np.dstack([gray16(), gray16() // 3]), photometric="minisblack", planarconfig="contig"
    )
    return gray16() // 3


@kind("green.png", channel=1)
def green(path):
    Image.fromarray(rgb8()).save(path)
    return rgb8()[..., 1]


def frames() -> list[Image.Image]:
    return [Image.fromarray(np.roll(rgb8(), 7 * n, axis=1)) for n in range(4)]


for suffix in ("webp", "png", "gif"):

    def animation(path):
        first, *others = frames()
        first.save(path, save_all=True, append_images=others, lossless=True)
        return opened(path, "RGB", 2)

    KINDS.append(Kind(f"frame.{suffix}", animation, {"page": 2}))
    KINDS.append(Kind(f"time.{suffix}", animation, {"time": 2}))


@kind("page.npy", page=2)
def page_of_an_array(path):
    np.save(path, pages())
    return pages()[2]


def test_the_table_is_long() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 150


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_file_is_what_it_says_it_is(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / kind.name
    expected = kind.make(path)
    picture = nch.read_image(path, **kind.choice)
    assert picture.shape == expected.shape
    assert picture.dtype == expected.dtype
    if kind.tolerance:
        error = np.abs(picture.astype(float) - expected.astype(float)).max()
        assert error <= kind.tolerance
    else:
        np.testing.assert_array_equal(picture, expected)
