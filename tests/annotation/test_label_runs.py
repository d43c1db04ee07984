from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_clip_heatmap.annotation import label_runs
from napari_clip_heatmap.annotation.label_runs import LabelPlane, check_labels, read_runs, runs_of
from napari_clip_heatmap.errors import ImageError

label_images = hnp.arrays(
    st.sampled_from([np.uint8, np.int16, np.int32, np.uint64]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=st.integers(0, 4),
)


def painted(runs, shape, dtype):
    image = np.zeros(shape, dtype)
    for label, y, start, stop in zip(runs.label, runs.y, runs.start, runs.stop, strict=True):
        assert not image[y, start:stop].any()
        image[y, start:stop] = label
    return image


@given(labels=label_images)
def test_runs_are_the_image(labels):
    runs = runs_of(labels)
    np.testing.assert_array_equal(painted(runs, labels.shape, labels.dtype), labels)
    assert (runs.length > 0).all()


@settings(max_examples=40)
@given(labels=label_images, pixels=st.integers(1, 60), chunk=st.integers(1, 9))
def test_blocks_of_any_kind_of_array_are_the_image(labels, pixels, chunk):
    lazy = da.from_array(labels, chunks=chunk)
    store = zarr.create_array(zarr.storage.MemoryStore(), data=labels, chunks=(chunk, chunk))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_runs, "BLOCK_PIXELS", pixels)
        for array in (labels, lazy, store):
            total = sum(
                (painted(runs, labels.shape, labels.dtype) for runs in read_runs(array)),
                np.zeros_like(labels),
            )
            np.testing.assert_array_equal(total, labels)


class Counted:
    """Labels that tell which parts of them were read."""

    def __init__(self, labels, chunks):
        self.labels, self.chunks = labels, chunks
        self.shape, self.dtype = labels.shape, labels.dtype
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return self.labels[index]


def test_chunks_are_read_whole_and_once(monkeypatch):
    monkeypatch.setattr(label_runs, "BLOCK_PIXELS", 40 * 40)
    labels = Counted(np.ones((100, 100), np.uint8), chunks=(16, 16))
    seen = np.zeros((100, 100), int)
    list(read_runs(labels))
    for y, x in labels.read:
        assert y.start % 16 == 0
        assert x.start % 16 == 0
        seen[y, x] += 1
        assert seen[y, x].size <= 40 * 40
    assert (seen == 1).all()


def test_a_plane_of_a_stack_is_read_like_a_plane(monkeypatch):
    monkeypatch.setattr(label_runs, "BLOCK_PIXELS", 40 * 40)
    stack = np.random.default_rng(0).integers(0, 3, (2, 3, 50, 60))
    store = zarr.create_array(zarr.storage.MemoryStore(), data=stack, chunks=(1, 2, 20, 30))
    for array in (stack, store, da.from_array(stack, chunks=(1, 1, 17, 60))):
        plane = LabelPlane(array, (1, 2))
        total = sum(painted(runs, (50, 60), stack.dtype) for runs in read_runs(plane))
        np.testing.assert_array_equal(total, stack[1, 2])


def test_labels_are_never_read_as_a_whole(monkeypatch):
    monkeypatch.setattr(label_runs, "BLOCK_PIXELS", 40 * 40)
    labels = Counted(np.ones((100, 100), np.uint8), chunks=(16, 16))
    list(read_runs(LabelPlane(labels, ())))
    assert len(labels.read) > 6
    assert all(labels.labels[part].size <= 40 * 40 for part in labels.read)


def test_bounds_are_those_of_the_pixels():
    labels = np.array([[0, 2, 0, 1], [0, 2, 2, 0], [1, 0, 0, 0]])
    runs = runs_of(labels)
    bounds = runs.bounds(runs.label - 1, 3)
    assert bounds.tolist() == [[0, 0, 3, 4], [0, 1, 2, 3], [0, 0, 0, 0]]


def test_labels_beyond_signed_integers_stay_what_they_are():
    labels = np.array([[2**64 - 1, 0, 2**63]], np.uint64)
    assert runs_of(labels).label.tolist() == [2**64 - 1, 2**63]


def test_negative_labels_are_refused():
    with pytest.raises(ImageError, match="label -3 is negative"):
        runs_of(np.array([[0, -3]]))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "NoneType"),
        ([[1, 2]], "list"),
        (np.ones((4, 5)), "float64.*skimage.measure.label"),
        (np.ones((4, 5), bool), "bool"),
        (np.ones((5, 4), int), r"\(5, 4\).*\(4, 5\)"),
        (np.ones((0, 5), int), r"\(0, 5\)"),
        (np.ones((2, 4, 5), int), r"\(2, 4, 5\)"),
    ],
)
def test_what_are_no_labels_of_the_image_is_said(labels, words):
    with pytest.raises(ImageError, match=words):
        check_labels(labels, (4, 5))
