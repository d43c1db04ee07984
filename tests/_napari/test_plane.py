from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_clip_heatmap._napari.plane import levels_of

DATA = np.arange(3 * 4 * 8 * 10, dtype=np.uint16).reshape(3, 4, 8, 10)


def in_zarr(data):
    store = zarr.create_array({}, shape=data.shape, chunks=(1, 1, 4, 5), dtype=data.dtype)
    store[:] = data
    return store


@pytest.mark.parametrize("store", [np.asarray, da.from_array, in_zarr])
def test_a_plane_reads_what_its_array_holds(store):
    (plane,) = levels_of(Image(store(DATA), contrast_limits=(0, 9)), (2, 1))
    assert plane.shape == (8, 10)
    assert plane.ndim == 2
    assert plane.dtype == np.uint16
    assert plane.chunks is None or len(plane.chunks) == 2
    np.testing.assert_array_equal(plane[2:5, 1:], DATA[2, 1, 2:5, 1:])
    np.testing.assert_array_equal(plane[3], DATA[2, 1, 3])


def test_choosing_a_plane_reads_nothing():
    class Store:
        shape, dtype, ndim = (3, 8, 10), np.dtype(np.uint8), 3

        def __init__(self):
            self.asked = []

        def __getitem__(self, key):
            self.asked.append(key)
            return np.zeros(self.shape, self.dtype)[key]

    store = Store()
    layer = Image(store, contrast_limits=(0, 1))
    store.asked.clear()
    (plane,) = levels_of(layer, (1,))
    assert not store.asked
    plane[0:2, 3:4]
    assert store.asked == [(1, slice(0, 2), slice(3, 4))]


def test_of_a_pyramid_each_level_also_where_planes_are_fewer():
    pyramid = [DATA[:, 0], DATA[::2, 0, ::2, ::2]]
    fine, coarse = levels_of(Image(pyramid, multiscale=True, contrast_limits=(0, 9)), (2,))
    np.testing.assert_array_equal(fine[:], DATA[2, 0])
    np.testing.assert_array_equal(coarse[:], DATA[2, 0, ::2, ::2])


def test_a_flat_array_stays_what_it_is():
    data = np.zeros((4, 5))
    assert levels_of(Image(data), ())[0] is data
