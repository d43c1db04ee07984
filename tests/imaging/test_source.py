from __future__ import annotations

from itertools import count

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel, Plane, as_channels
from napari_clip_heatmap.imaging.compositing import Blend
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.source import ImageSource, is_blank, read_tile, sketch
from napari_clip_heatmap.imaging.view import View


def source_of(image, shape, view=None, field=None):
    channels = as_channels(image)
    return ImageSource(channels, (view or View()).appearance(channels), shape, field)


def everything(source):
    return source.read(*(slice(0, length) for length in source.shape))


def averaging(n_in, n_out):
    """Share of each input pixel's area in each output pixel, (out, in)."""
    edges = np.arange(n_out + 1) * n_in / n_out
    low = np.maximum(edges[:-1, None], np.arange(n_in))
    high = np.minimum(edges[1:, None], np.arange(n_in) + 1)
    return np.maximum(high - low, 0) * n_out / n_in


class Watched:
    """An array that notes how much of it is read."""

    def __init__(self, shape, dtype="uint8"):
        self.shape, self.dtype, self.reads = shape, np.dtype(dtype), []

    def __getitem__(self, key):
        y, x = key[:2]
        size = (min(y.stop, self.shape[0]) - y.start, min(x.stop, self.shape[1]) - x.start)
        self.reads.append(size)
        return np.full((*size, *self.shape[2:]), 7, self.dtype)

    @property
    def n_read(self):
        return sum(height * width for height, width in self.reads)


@settings(max_examples=50)
@given(st.data())
def test_shrinking_averages_areas_at_any_ratio(data):
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    shape = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    expected = np.einsum(
        "Yy,Xx,yxc->YXc", averaging(height, shape[0]), averaging(width, shape[1]), image / 255
    )
    np.testing.assert_allclose(everything(source_of(image, shape)), expected, atol=2e-6)


def test_enlarging_keeps_centers_where_they_are():
    ramp = np.broadcast_to((np.arange(8, dtype=np.uint8) * 2 + 1)[:, None], (8, 3))
    seen = everything(source_of(ramp, (16, 3)))[:, 0, 0] * 255 / 2
    np.testing.assert_allclose(seen[1:-1], (np.arange(16) + 0.5)[1:-1] / 2, rtol=1e-5)
    np.testing.assert_allclose(seen[[0, -1]], [0.5, 7.5], rtol=1e-5)


@settings(max_examples=15)
@given(st.data())
def test_a_part_is_exactly_that_of_the_whole(data):
    image = np.random.default_rng(0).integers(0, 256, (700, 900), np.uint8)
    shape = data.draw(st.sampled_from([(700, 900), (533, 601), (70, 90), (750, 1000)]))
    whole = everything(source_of(image, shape))
    source = source_of(image, shape)
    for _ in range(4):
        y, x = (
            slice(first, data.draw(st.integers(first + 1, length)))
            for length in shape
            for first in [data.draw(st.integers(0, length - 1))]
        )
        np.testing.assert_array_equal(source.read(y, x), whole[y, x])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(600, 520), (211, 187)])
def test_where_an_image_is_stored_changes_no_digit(tmp_path, dtype, shape):
    image = (np.random.default_rng(0).random((3, 600, 520)) * 250).astype(dtype)
    np.save(tmp_path / "image.npy", image)
    stored = zarr.create_array(tmp_path / "image.zarr", data=image, chunks=(1, 128, 100))
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    lazy = da.from_array(image, chunks=(1, 77, 200))
    expected = everything(source_of(image[1], shape))
    for other in (Plane(mapped, (1,)), Plane(stored, (1,)), Plane(lazy, (1,)), lazy[1]):
        np.testing.assert_array_equal(everything(source_of(other, shape)), expected)


def test_only_what_is_needed_is_read_and_but_once():
    image = Watched((4096, 4096))
    source = source_of(image, (4096, 4096))
    assert image.reads == []
    source.read(slice(1000, 1064), slice(3000, 3064))
    assert image.n_read == 512 * 256  # two blocks
    source.read(slice(1000, 1064), slice(3000, 3010))
    assert image.n_read == 512 * 256


def test_what_is_read_at_once_and_kept_is_bounded():
    image = Watched((100_000, 100_000, 3))
    source = source_of(image, (3125, 3125))
    source.read(slice(0, 64), slice(0, 64))
    assert max(max(size) for size in image.reads) <= 2048 + 1
    small = source_of(Watched((20_000, 20_000)), (20_000, 20_000))
    for first in range(0, 20_000, 256):
        small.read(slice(first, first + 1), slice(0, 20_000))
    assert sum(block.nbytes for block in small._blocks.values()) <= 128 * 2**20


@pytest.mark.parametrize(("factor", "level"), [(1, 0), (1.9, 0), (2, 1), (3, 1), (4, 2), (40, 2)])
def test_the_coarsest_level_that_is_fine_enough_is_read(factor, level):
    levels = tuple(Watched((2001 // 2**k, 1001 // 2**k)) for k in range(3))
    source = source_of(Channel(levels), (round(2001 / factor), round(1001 / factor)))
    source.read(slice(0, 1), slice(0, 1))
    assert [bool(each.reads) for each in levels] == [k == level for k in range(3)]


def test_levels_lie_over_one_another():
    fine = np.kron(np.random.default_rng(0).integers(0, 255, (50, 60)), np.ones((4, 4)))
    fine = fine.astype(np.uint8)
    coarse = fine[::2, ::2]
    one, both = source_of(fine, (50, 60)), source_of(Channel((fine, coarse)), (50, 60))
    np.testing.assert_allclose(everything(both), everything(one), atol=1e-6)


def test_a_field_is_a_part_of_the_image():
    image = np.random.default_rng(0).integers(0, 256, (100, 120), np.uint8)
    seen = everything(source_of(image, (20, 30), field=((10, 30), (50, 90))))
    expected = everything(source_of(image[10:50, 30:90], (20, 30)))
    np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_valid_pixels_alone_are_averaged_and_the_rest_has_the_mean_color():
    image = np.array([[1.0, np.nan, 0, 0], [0.5, 0.5, np.nan, np.nan], [0, 1, np.nan, np.inf]])
    image = image[[0, 0, 1, 2]]
    source = source_of(Channel((image,), limits=(0, 1)), (2, 2))
    seen = everything(source)[..., 0]
    np.testing.assert_allclose(seen, [[1, 0], [0.5, np.nanmean(image[np.isfinite(image)])]])
    centers = np.arange(4) + 0.5
    np.testing.assert_array_equal(source.validity.read(centers, centers), np.isfinite(image))


def test_masked_pixels_are_invalid():
    image = np.ma.masked_equal(np.array([[10, 99], [20, 30]], np.uint8), 99)
    source = source_of(image, (2, 2))
    everything(source)
    centers = np.array([0.5, 1.5])
    np.testing.assert_array_equal(
        source.validity.read(centers, centers), [[True, False], [True, True]]
    )


def test_transparent_pixels_are_averaged_as_black():
    image = np.zeros((2, 2, 4), np.uint8)
    image[..., :3], image[0, 0, 3] = 200, 255
    np.testing.assert_allclose(everything(source_of(image, (1, 1))), 200 / 255 / 4, rtol=1e-6)


def test_channels_of_different_shapes_are_refused():
    with pytest.raises(ImageError, match="one shape"):
        as_channels([Channel((np.zeros((4, 5)),)), Channel((np.zeros((5, 4)),))])


def test_a_channel_with_invalid_pixels_spoils_only_those():
    red, green = np.zeros((4, 4)), np.ones((4, 4))
    red[1, 2] = np.nan
    lut = np.eye(3, dtype=np.float32)
    channels = [
        Channel((each,), limits=(0, 1), lut=np.stack([0 * lut[k], lut[k]]))
        for k, each in enumerate((red, green))
    ]
    source = source_of(channels, (4, 4))
    np.testing.assert_array_equal(everything(source), np.broadcast_to([0, 1, 0], (4, 4, 3)))
    valid = source.validity.read(np.arange(4) + 0.5, np.arange(4) + 0.5)
    np.testing.assert_array_equal(valid, ~np.isnan(red))


class Ramp:
    """A huge image, brighter to the right and below, that notes how much of it is read."""

    shape, dtype = (40_000, 60_000), np.dtype("float32")
    n_read = 0

    def __getitem__(self, key):
        y, x = (np.arange(each.start, each.stop, dtype=np.float32) for each in key)
        self.n_read += len(y) * len(x)
        return y[:, None] / 80_000 + x / 120_000


def sketched(image, shape, **settings):
    channel = image if isinstance(image, Channel) else Channel((image,), limits=(0, 1))
    return sketch([channel], View().appearance([channel]), shape, **settings)


def expected(shape, low=(0, 0), high=(1, 1)):
    y, x = (low[a] + (np.arange(shape[a]) + 0.5) / shape[a] * (high[a] - low[a]) for a in (0, 1))
    return (y[:, None] / 2 + x / 2)[..., None]


@pytest.mark.parametrize(("samples", "error"), [(0, 0.14), (100, 0.08), (10**9, 0.002)])
def test_a_huge_image_is_sampled_as_densely_as_time_allows(samples, error):
    image, ticks = Ramp(), count()
    seen = sketched(image, (30, 40), seconds=samples, clock=lambda: next(ticks))
    assert np.abs(seen - expected((30, 40))).max() < error
    assert image.n_read <= (4 * 4 + 2 * samples + 100) * 34 * 34


def test_a_small_image_is_averaged_whole():
    image = np.random.default_rng(0).integers(0, 256, (90, 80), np.uint8)
    seen = sketched(Channel((image,)), (9, 8))[..., 0]
    np.testing.assert_allclose(seen, image.reshape(9, 10, 8, 10).mean((1, 3)) / 255, atol=1e-6)


def test_a_coarse_level_is_read_instead():
    fine = Ramp()
    coarse = expected((60, 90)).astype(np.float32)[..., 0]
    seen = sketched(Channel((fine, coarse), limits=(0, 1)), (30, 40))
    assert fine.n_read == 0
    assert np.abs(seen - expected((30, 40))).max() < 0.01


def test_a_part_is_sketched_alone():
    field = ((10_000, 30_000), (20_000, 60_000))
    seen = sketched(Ramp(), (20, 30), field=field, seconds=1e9)
    assert np.abs(seen - expected((20, 30), (0.25, 0.5), (0.5, 1))).max() < 0.002


@pytest.mark.parametrize("limits", [None, (0, 1)])
@pytest.mark.parametrize("n_samples", [0, 3, 4])
def test_invalid_pixels_of_a_layer_with_opacity_get_its_mean_color(limits, n_samples):
    image = np.random.default_rng(0).random((20, 30, *[n_samples][: n_samples > 0]))
    image[3:9, 4:8] = np.nan
    channels = [Channel((image,), limits, blend=Blend("translucent", 0.5))]
    source = ImageSource(channels, View().appearance(channels), (20, 30))
    seen = source.read(slice(0, 20), slice(0, 30))
    assert np.isfinite(seen).all()
    assert np.ptp(seen[3:9, 4:8], axis=(0, 1)).max() == 0


def lattice_of(shape):
    return plan_lattice(shape, shape, patch=(4, 4), tile=(32, 32), overlap=0.5)


class Array:
    """An image in memory as tiles are read from it."""

    def __init__(self, rgb):
        self.rgb, self.reads = rgb, []

    def read(self, y, x):
        self.reads.append((y, x))
        return self.rgb[y, x]


def colors(shape):
    return np.random.default_rng(0).random((*shape, 3), np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (31, 33), (32, 32), (100, 40), (77, 131)])
def test_tiles_are_cut_from_the_symmetrically_padded_image(shape):
    image, lattice = colors(shape), lattice_of(shape)
    margin = 64
    padded = np.pad(image, ((margin,) * 2, (margin,) * 2, (0, 0)), mode="symmetric")
    for tile in lattice.tiles:
        y, x = lattice.y.pixels(tile[0]), lattice.x.pixels(tile[1])
        expected = padded[y.start + margin : y.stop + margin, x.start + margin : x.stop + margin]
        seen = read_tile(Array(image), lattice, tile)
        np.testing.assert_array_equal(seen, expected)
        assert seen.shape == (32, 32, 3)


def test_only_the_needed_pixels_are_read():
    source = Array(colors((1000, 1000)))
    read_tile(source, lattice_of((1000, 1000)), (3, 5))
    ((y, x),) = source.reads
    assert (y.stop - y.start, x.stop - x.start) == (32, 32)


def test_a_tile_is_blank_only_if_all_its_pixels_are_one_color():
    tile = np.full((32, 32, 3), 0.3, np.float32)
    assert is_blank(tile)
    tile[31, 31, 2] = 0.31
    assert not is_blank(tile)
    assert is_blank(np.broadcast_to(np.float32([0.1, 0.2, 0.3]), (32, 32, 3)))
