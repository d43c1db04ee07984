"""Files of images: whole ones of every layout, and damaged ones."""

from __future__ import annotations

import io
import logging

import numpy as np
import pytest
import tifffile
from hypothesis import assume
from hypothesis import strategies as st
from PIL import Image

from napari_clip_heatmap.files.reading.image_file import read_image

pytestmark = pytest.mark.filterwarnings("ignore")  # what decoders say of damage is no escape


@pytest.fixture(autouse=True)
def silent(caplog):
    caplog.set_level(logging.CRITICAL, "tifffile")


RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (12, 17), np.uint8)
COLORS = RNG.integers(0, 256, (12, 17, 3), np.uint8)

choices = st.fixed_dictionaries(
    {},
    optional={
        "page": st.integers(-1, 6),
        "series": st.integers(-1, 2),
        "channel": st.integers(-1, 4) | st.lists(st.integers(0, 4), min_size=1, max_size=4),
        "time": st.integers(0, 3),
        "z": st.integers(0, 3),
    },
)
no_choice_mostly = st.integers(0, 3).flatmap(lambda roll: choices if roll == 0 else st.just({}))


def with_pillow(kind, image, **settings):
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def with_tifffile(*pictures, **settings):
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, bigtiff=settings.pop("bigtiff", False)) as writer:
        for picture in pictures:
            writer.write(picture, **settings)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


FRAMES = [Image.fromarray(np.roll(COLORS, n, axis=0)) for n in range(3)]
PICTURES = {
    "a.png": with_pillow("PNG", FRAMES[0]),
    "palette.png": with_pillow("PNG", FRAMES[0].quantize(8)),
    "deep.png": with_pillow("PNG", Image.fromarray(GRAY.astype(np.uint16) * 257)),
    "moving.png": with_pillow("PNG", FRAMES[0], save_all=True, append_images=FRAMES[1:]),
    "a.jpg": with_pillow("JPEG", FRAMES[0]),
    "cmyk.jpg": with_pillow("JPEG", FRAMES[0].convert("CMYK")),
    "a.gif": with_pillow("GIF", FRAMES[0], save_all=True, append_images=FRAMES[1:]),
    "a.webp": with_pillow("WEBP", FRAMES[0], lossless=True),
    "a.bmp": with_pillow("BMP", FRAMES[0]),
    "a.tga": with_pillow("TGA", FRAMES[0]),
    "a.jp2": with_pillow("JPEG2000", FRAMES[0]),
    "a.ico": with_pillow("ICO", FRAMES[0]),
    "a.ppm": with_pillow("PPM", FRAMES[0]),
    "a.tif": with_tifffile(COLORS, photometric="rgb"),
    "zipped.tif": with_tifffile(GRAY, compression="zlib", predictor=True),
    "tiles.tif": with_tifffile(np.tile(GRAY, (3, 3)), tile=(16, 16), compression="lzw"),
    "pages.tif": with_tifffile(GRAY, COLORS, GRAY[:5]),
    "big.tif": with_tifffile(GRAY.astype(np.float32), bigtiff=True),
    "jpeg.tif": with_tifffile(COLORS, compression="jpeg", photometric="rgb"),
    "stack.tif": with_tifffile(np.stack([GRAY] * 4), photometric="minisblack"),
    "a.npy": npy(COLORS),
    "stack.npy": npy(np.stack([GRAY] * 4)),
}


def read(path, choice):
    seen = read_image(path, **choice)
    assert seen.ndim in (2, 3)
    assert seen.ndim == 2 or seen.shape[2] in (3, 4)
    assert seen.dtype.kind in "buif"
    assert seen.size
    return seen


@st.composite
def damage(draw, content):
    kind = draw(st.sampled_from(["cut", "byte", "bytes", "head", "insert", "none"]))
    place = draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        return content[:place]
    if kind == "byte":
        return content[:place] + bytes([draw(st.integers(0, 255))]) + content[place + 1 :]
    if kind == "head":
        place = draw(st.integers(0, min(200, len(content) - 1)))
        new = draw(st.binary(min_size=1, max_size=4))
        return content[:place] + new + content[place + len(new) :]
    if kind == "insert":
        return content[:place] + draw(st.binary(min_size=1, max_size=8)) + content[place:]
    if kind == "bytes":
        changed = bytearray(content)
        for _ in range(draw(st.integers(2, 20))):
            changed[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
        return bytes(changed)
    return content


def test_damaged_files(fuzz, tmp_path):
    def attempt(given):
        name, content, choice = given
        path = tmp_path / name
        path.write_bytes(content)
        read(path, choice)

    damaged = st.sampled_from(sorted(PICTURES)).flatmap(
        lambda name: st.tuples(st.just(name), damage(PICTURES[name]), no_choice_mostly)
    )
    fuzz(damaged, attempt)


TAGS = {
    "photometric": (262, "H", st.integers(0, 10) | st.sampled_from([32803, 32844, 65000])),
    "bits": (258, "H", st.sampled_from([1, 2, 4, 7, 8, 12, 16, 24, 32, 64, 0, 65535])),
    "samples": (277, "H", st.integers(0, 6)),
    "format": (339, "H", st.integers(0, 7)),
    "planar": (284, "H", st.integers(0, 3)),
    "compression": (259, "H", st.sampled_from([0, 1, 2, 5, 6, 7, 8, 32773, 34712, 50000, 9999])),
    "predictor": (317, "H", st.integers(0, 4)),
    "orientation": (274, "H", st.integers(0, 9)),
    "width": (256, "I", st.integers(0, 40) | st.sampled_from([2**31, 2**32 - 1])),
    "length": (257, "I", st.integers(0, 40) | st.sampled_from([2**31, 2**32 - 1])),
    "rows": (278, "I", st.integers(0, 40)),
    "subfile": (254, "I", st.integers(0, 7)),
}


@pytest.mark.parametrize("kind", ["gray", "colors", "opaque"])
def test_tags_of_tiff(fuzz, tmp_path, kind):
    """A valid file in which some tags say something else."""
    picture = {"gray": GRAY, "colors": COLORS, "opaque": np.dstack([COLORS, GRAY])}[kind]
    settings = {"photometric": "minisblack" if kind == "gray" else "rgb"}
    content = with_tifffile(picture, **settings)
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        places = {tag.code: tag for tag in tiff.pages[0].tags}
        known = {name: places[code] for name, (code, _, _) in TAGS.items() if code in places}

    def attempt(given):
        values, choice = given
        changed = bytearray(content)
        for name, value in values.items():
            tag = known[name]
            size = {3: 2, 4: 4}[tag.dtype]
            if tag.count == 1:
                value %= 2 ** (8 * size)
                changed[tag.offset + 8 : tag.offset + 8 + size] = value.to_bytes(size, "little")
        path = tmp_path / "a.tif"
        path.write_bytes(changed)
        read(path, choice)

    values = st.fixed_dictionaries({}, optional={name: TAGS[name][2] for name in known})
    fuzz(st.tuples(values, no_choice_mostly), attempt)


def test_layouts_of_tiff(fuzz, tmp_path):
    """Every layout that tifffile writes; a picture read as it is has the values written."""
    path = tmp_path / "a.tif"

    def attempt(given):
        dtype, shape, settings, choice = given
        data = (np.arange(np.prod(shape)).reshape(shape) % 100).astype(dtype)
        try:
            tifffile.imwrite(path, data, **settings)
        except Exception:  # noqa: BLE001 - what tifffile does not write is no test
            assume(False)
        seen = read(path, choice)
        if not choice and seen.shape == data.squeeze().shape and "jpeg" not in str(settings):
            expected = data.squeeze()
            if settings.get("photometric") == "miniswhite" or data.dtype == bool:
                return  # tifffile declares booleans as min-is-white
            if "assocalpha" in settings.get("extrasamples", ()):
                return  # colors are divided by their opacity; test_file_kinds says by how much
            np.testing.assert_array_equal(seen, expected)

    dtypes = st.sampled_from(["u1", "<u2", ">u2", "i2", "u4", "f2", "f4", "f8", "?", "i8", "c8"])
    sides = st.sampled_from([(12, 17), (16, 16), (1, 40), (3, 12), (4, 3)])
    leading = st.sampled_from([(), (1,), (3,), (2, 2), (1, 3, 1), (5,)])
    trailing = st.sampled_from([(), (1,), (2,), (3,), (4,), (5,)])
    shapes = st.tuples(leading, sides, trailing).map(lambda parts: sum(parts, ()))
    settings = st.fixed_dictionaries(
        {},
        optional={
            "photometric": st.sampled_from(["minisblack", "miniswhite", "rgb", "separated"]),
            "planarconfig": st.sampled_from(["contig", "separate"]),
            "compression": st.sampled_from(["zlib", "lzw", "zstd", "packbits", "lzma", "jpeg"]),
            "predictor": st.booleans(),
            "tile": st.just((16, 16)),
            "rowsperstrip": st.integers(1, 20),
            "bigtiff": st.booleans(),
            "byteorder": st.sampled_from("<>"),
            "imagej": st.booleans(),
            "ome": st.booleans(),
            "metadata": st.sampled_from(
                [None, {"axes": "ZYX"}, {"axes": "CYX"}, {"axes": "TZCYX"}, {"axes": "YXS"}]
            ),
            "extrasamples": st.sampled_from([["unassalpha"], ["assocalpha"], ["unspecified"]]),
        },
    )
    fuzz(st.tuples(dtypes, shapes, settings, no_choice_mostly), attempt)


def test_choices_of_pictures(fuzz, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.zeros((2, 3, 2, 9, 8), np.uint8), metadata={"axes": "TZCYX"}, imagej=True
    )
    wild = st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ["page", "series", "channel", "time", "z"],
            st.integers(-2, 13)
            | st.integers()
            | st.none()
            | st.floats()
            | st.text(max_size=3)
            | st.lists(st.integers(0, 3) | st.text(max_size=2), max_size=4),
        ),
    )
    fuzz(wild | choices, lambda choice: read(path, choice))
