from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats import _label_pyramid
from napari_clip_heatmap.files.object_formats._label_pyramid import Level, new_pyramid, write_level


@given(
    full=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
    factor=st.integers(1, 4),
    lazy=st.booleans(),
    rows=st.sampled_from([1, 3, 1024]),
)
def test_a_pixel_has_the_label_in_its_middle(full, factor, lazy, rows):
    labels = np.random.default_rng(0).integers(0, 9, full)
    small = tuple(-(-length // factor) for length in full)
    into = zarr.create_array(zarr.storage.MemoryStore(), shape=small, dtype=labels.dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_label_pyramid, "_CHUNK", rows)
        patch.setattr(_label_pyramid, "_BAND", 1)
        array = da.from_array(labels, chunks=7) if lazy else labels
        write_level(array, Level(full, []), Level(small, []), into, None)
    written = into[...]
    for index in np.ndindex(small):
        sizes = zip(index, full, small, strict=True)
        middle = tuple(int((at + 0.5) * length / now) for at, length, now in sizes)
        assert written[index] == labels[middle]


def test_only_chosen_labels_are_written():
    labels = np.array([[1, 2], [3, 2**33]])
    into = zarr.create_array(zarr.storage.MemoryStore(), shape=(2, 2), dtype=labels.dtype)
    same = Level((2, 2), [])
    write_level(labels, same, same, into, np.array([3, 2**33]))
    assert into[...].tolist() == [[0, 0], [3, 2**33]]


def test_axes_of_length_one_may_be_missing():
    labels = np.arange(12).reshape(2, 3, 2)
    into = zarr.create_array(zarr.storage.MemoryStore(), shape=(1, 2, 3, 2), dtype=labels.dtype)
    level = Level((1, 2, 3, 2), [])
    write_level(labels, level, level, into, None)
    np.testing.assert_array_equal(into[0], labels)


def test_a_new_pyramid_is_halved_until_it_is_small():
    pyramid = new_pyramid((1500, 700), {"pixel_size": [0.5, 0.25], "unit": "µm"})
    assert [level.shape for level in pyramid.levels] == [(1500, 700), (750, 350), (375, 175)]
    scales = [level.transformations[0]["scale"] for level in pyramid.levels]
    assert scales == [[0.5, 0.25], [1.0, 0.5], [2.0, 1.0]]
    assert {axis["unit"] for axis in pyramid.axes} == {"micrometer"}


def test_a_new_pyramid_of_a_stack_is_refused():
    with pytest.raises(OutputError, match=r"\(3, 20, 30\) are a stack"):
        new_pyramid((3, 20, 30), {})
