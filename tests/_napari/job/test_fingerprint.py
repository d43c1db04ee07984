from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_clip_heatmap._napari.job.encoding_cache import content_key

DATA = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3), np.uint8)


def test_equal_content_has_one_name_and_any_change_another():
    name = content_key(DATA, (1,))
    assert content_key(DATA.copy(), (1,)) == name
    painted = DATA.copy()
    painted[1, 39, 49, 2] ^= 1
    assert content_key(painted, (1,)) != name
    assert content_key(painted, (2,))[3] == content_key(DATA, (2,))[3]


@pytest.mark.parametrize(
    "other", [DATA.view(np.int8), DATA[..., :2].copy(), np.moveaxis(DATA, 1, 2)]
)
def test_type_and_shape_count(other):
    assert content_key(other, (1,)) != content_key(DATA, (1,))


def test_of_what_is_not_in_memory_a_window_is_read():
    class Store:
        shape, dtype = (3, 4000, 5000), np.dtype(np.uint16)
        read = 0

        def __getitem__(self, key):
            values = np.broadcast_to(np.uint16(7), self.shape)[key]
            self.read += values.size
            return values

    store = Store()
    assert content_key(store, (1,)) == content_key(store, (1,))
    assert store.read < 5000
    assert content_key(store, (1,)) != content_key(Store(), (1,))


def test_dask_and_memory_maps_are_not_read_whole(tmp_path):
    read = []
    lazy = da.map_blocks(
        lambda block_id: read.append(block_id) or np.zeros((100, 100), np.uint8),
        chunks=((100,) * 10, (100,) * 10),
        dtype=np.uint8,
        meta=np.empty((0, 0), np.uint8),
    )
    content_key(lazy, ())
    assert len(read) <= 4
    mapped = np.memmap(tmp_path / "map", np.uint8, "w+", shape=(64, 64))
    name = content_key(mapped, ())
    mapped[0, 0] = 9  # beyond the window
    assert content_key(mapped, ()) == name
