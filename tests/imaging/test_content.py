from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.channel import Channel, Plane
from napari_clip_heatmap.imaging.content import content_of, sampled


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 255, (90, 120), np.uint8)


def content(*levels):
    return content_of(Channel(levels))


def test_every_pixel_in_memory_counts_and_nothing_else(pixels):
    same = np.asfortranarray(pixels.copy())
    assert content(pixels) == content(same)
    assert content(pixels) != content(pixels.astype(np.uint16))
    assert content(pixels) != content(pixels.reshape(120, 90))
    for y, x in ((0, 0), (89, 119), (41, 7)):
        other = pixels.copy()
        other[y, x] ^= 1
        assert content(pixels) != content(other)


def test_a_plane_in_memory_is_named_by_what_it_holds(pixels):
    stack = np.stack([pixels, pixels[::-1], pixels])
    one, two, three = (content(Plane(stack, (z,))) for z in range(3))
    assert one == three == content(pixels)
    assert one != two


def test_what_is_masked_counts(pixels):
    masked = np.ma.masked_less(pixels, 20)
    assert content(masked) != content(pixels)
    assert content(masked) != content(np.ma.masked_less(pixels, 21))


@given(
    shape=st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    chunks=st.none() | st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
)
def test_samples_lie_in_the_plane_and_do_not_grow_with_it(shape, chunks):
    windows = sampled(shape, chunks)
    for y, x in windows:
        assert 0 <= y.start < y.stop <= shape[0]
        assert 0 <= x.start < x.stop <= shape[1]
    assert len({(y.start, x.start) for y, x in windows}) == len(windows) <= 16
    area = sum((y.stop - y.start) * (x.stop - x.start) for y, x in windows)
    assert area <= 2**26
    if max(shape) <= 4096 and chunks is None:
        assert area == shape[0] * shape[1]


def test_samples_are_whole_chunks():
    uneven = ((100, 30, 70), (50,) * 8)
    assert {(y.start, y.stop) for y, _ in sampled((200, 400), uneven)} == {
        (0, 100),
        (100, 130),
        (130, 200),
    }
    assert {x.stop - x.start for _, x in sampled((200, 400), uneven)} == {50}
    assert sampled((90000, 90000), (90000, 90000)) == [
        (slice(42952, 47048), slice(42952, 47048))
    ], "the middle of a chunk too large to be read for this"


@pytest.mark.parametrize("kind", ["zarr", "dask", "memory map"])
def test_a_lazy_store_is_known_again_and_a_sampled_chunk_counts(tmp_path, pixels, kind):
    large = np.tile(pixels, (10, 10))

    def stored(values):
        if kind == "memory map":
            np.save(tmp_path / "a.npy", values)
            return np.load(tmp_path / "a.npy", mmap_mode="r")
        if kind == "dask":
            return da.from_array(values, chunks=(100, 100))
        zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(100, 100), overwrite=True)
        return zarr.open_array(tmp_path / "a.zarr", mode="r")

    first = stored(large)
    before = content(first)
    assert before is not None
    if kind == "memory map":
        assert content(np.load(tmp_path / "a.npy", mmap_mode="r")) == before
    else:
        assert content(stored(large)) == before
    windows = sampled(large.shape, getattr(first, "chunks", None))
    for y, x in (windows[0], windows[-1]):
        other = large.copy()
        other[y.stop - 1, x.stop - 1] ^= 1
        assert content(stored(other)) != before
    assert content(stored(large[:-100])) != before


def test_of_a_lazy_pyramid_little_is_read(pixels):
    reads = []

    class Lazy:
        dtype = np.dtype(np.uint8)
        chunks = (64, 64)

        def __init__(self, side):
            self.shape = (side, side)

        def __getitem__(self, key):
            y, x = key
            reads.append((y.stop - y.start) * (x.stop - x.start))
            return np.arange(y.start, y.stop)[:, None].astype(np.uint8) + np.zeros(
                x.stop - x.start, np.uint8
            )

    reported = content(*(Lazy(2**n) for n in range(16, 8, -1)))
    assert len(reported) == 8
    assert sum(reads) <= 2 * 16 * 64 * 64


def test_lazy_planes_and_places_differ(tmp_path, pixels):
    stack = np.stack([pixels, pixels])
    one, two = (
        zarr.create_array(tmp_path / f"{n}.zarr", data=stack, chunks=(1, 30, 30)) for n in "ab"
    )
    assert content(Plane(one, (0,))) != content(Plane(one, (1,)))
    assert content(Plane(one, (0,))) != content(Plane(two, (0,)))


def test_a_lazy_image_that_shows_nothing_where_it_is_looked_at_has_no_name(tmp_path, pixels):
    blank = zarr.create_array(tmp_path / "a.zarr", shape=(900, 900), dtype="uint8", chunks=(90, 90))
    assert content(blank) is None
    blank[100:110, 100:110] = 3
    assert content(blank) is None, "beside the samples"
    assert content(pixels * 0) is not None, "in memory all of it is known"
    assert content(blank, pixels) is None
    blank[0, 0] = 3
    assert content(blank) is not None
