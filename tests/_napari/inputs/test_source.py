from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Image

from napari_clip_heatmap._napari.inputs.layer_planes import check_layer
from napari_clip_heatmap.errors import ImageError


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
