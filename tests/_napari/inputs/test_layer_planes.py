from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image

from napari_clip_heatmap._napari.inputs.layer_planes import (
    EVERY_AXIS,
    SliceChoice,
    axis_choices,
    check_layer,
    requested_planes,
    shown_index,
)
from napari_clip_heatmap.errors import ImageError


def stack(*shape, labels=None, **settings):
    data = np.broadcast_to(np.uint8(0), (*shape, 6, 7))
    labels = labels and (*labels, "y", "x")
    return Image(data, contrast_limits=(0, 1), axis_labels=labels, **settings)


@pytest.mark.parametrize(("world", "index"), [(0, 0), (7.4, 2), (-99, 0), (1e9, 4)])
def test_the_slice_shown_in_world_units(world, index):
    layer = stack(5, scale=(3, 1, 1), translate=(2, 0, 0))
    assert shown_index(layer, (0, world, 0, 0)) == (index,)  # a viewer with one more axis


def test_of_a_plane_there_is_one():
    layer = stack()
    assert axis_choices(layer) == ()
    assert requested_planes(layer, (), SliceChoice("all", "z")) == ((),)
    assert axis_choices(None) == ()


def test_colours_are_no_axis():
    layer = Image(np.zeros((5, 6, 7, 3), np.uint8), rgb=True)
    assert axis_choices(layer) == (layer.axis_labels[0],)
    assert shown_index(layer, (2, 0, 0)) == (2,)


def test_channels_are_slid_over_only_when_named():
    layer = stack(2, 3, 4, labels=("c", "t", "z"))
    assert axis_choices(layer) == ("z", "t", EVERY_AXIS, "c")
    every = requested_planes(layer, (1, 0, 0), SliceChoice("all", EVERY_AXIS))
    assert len(every) == 12
    assert {index[0] for index in every} == {1}
    assert {i[1:] for i in requested_planes(layer, (1, 2, 3), SliceChoice("all", "c"))} == {(2, 3)}


@given(st.data())
def test_asks_each_plane_once_and_the_nearest_to_what_is_shown_first(data):
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    shown = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    first, last = sorted(data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4))))
    layer = stack(*shape, labels=("t", "z"))
    if first >= shape[1]:
        with pytest.raises(ImageError, match="along z"):
            requested_planes(layer, shown, SliceChoice("range", "z", first, last))
        return
    planes = requested_planes(
        layer, shown, SliceChoice("range", "z", last, first)
    )  # either way round
    assert sorted(planes) == [(shown[0], z) for z in range(first, min(last + 1, shape[1]))]
    distances = [abs(z - shown[1]) for _, z in planes]
    assert distances == sorted(distances)


def test_the_current_plane_alone_is_the_default():
    assert requested_planes(stack(4, 5), (2, 3), SliceChoice()) == ((2, 3),)


def test_an_axis_that_is_not_there_is_told():
    with pytest.raises(ImageError, match=r"no axis 'w'; it has z"):
        requested_planes(stack(4, labels=("z",)), (2,), SliceChoice("all", "w"))


def flat(shape, **settings):
    return Image(np.broadcast_to(np.float32(0), shape), contrast_limits=(0, 1), **settings)


@pytest.mark.parametrize("shape", [(64, 80), (5, 64, 80), (2, 3, 64, 80), (64, 80, 40), (3, 4, 5)])
def test_takes_planes_and_stacks_of_them(shape):
    check_layer(flat(shape, rgb=False))


def test_takes_colours_and_pyramids():
    check_layer(flat((64, 80, 3), rgb=True))
    check_layer(Image([np.zeros((64, 80)), np.zeros((32, 40))], multiscale=True))


@pytest.mark.parametrize("shape", [(64, 80, 5), (3, 64, 80, 2)])
def test_refuses_channels_at_the_end_in_words(shape):
    with pytest.raises(ImageError, match="channel_axis"):
        check_layer(flat(shape, rgb=False))


def test_refuses_a_layer_without_a_pixel():
    # napari itself warns while it draws one, so a stand-in.
    layer = SimpleNamespace(
        name="empty", data=np.zeros((0, 5)), ndim=2, rgb=False, multiscale=False
    )
    with pytest.raises(ImageError, match=r"'empty' .* no pixel"):
        check_layer(layer)
