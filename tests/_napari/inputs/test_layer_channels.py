from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_clip_heatmap._napari.inputs.layer_channels import channels_of, fits_image
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import View

RNG = np.random.default_rng(0)
RAMP = np.linspace(100, 900, 40 * 50).reshape(40, 50).astype(np.uint16)


def seen(layers, index=(), view=None):
    channels = channels_of(layers, index)
    source = ImageSource(channels, (view or View()).appearance(channels), channels[0].shape)
    return source.read(slice(0, channels[0].shape[0]), slice(0, channels[0].shape[1]))


def drawn(layer, plane):
    """What napari's renderer is given to do, done by hand."""
    low, high = layer.contrast_limits
    unit = np.clip((plane.astype(float) - low) / (high - low), 0, 1) ** layer.gamma
    return layer.colormap.map(unit.ravel())[:, :3].reshape(*plane.shape, 3)


@pytest.mark.parametrize("colormap", ["gray", "green", "viridis", "jet", "gray_r"])
@pytest.mark.parametrize("gamma", [1, 0.4])
def test_the_model_sees_limits_gamma_and_colormap(colormap, gamma):
    layer = Image(RAMP, contrast_limits=(200, 700), gamma=gamma, colormap=colormap)
    np.testing.assert_allclose(seen([layer]), drawn(layer, RAMP) * np.ones(3), atol=4e-3)


def test_channels_are_added_as_the_viewer_blends_them():
    layers = [
        Image(RAMP, contrast_limits=(0, 500), colormap="magenta"),
        Image(RAMP[::-1], contrast_limits=(0, 900), colormap="green", blending="additive"),
    ]
    expected = sum(drawn(layer, layer.data) for layer in layers).clip(0, 1)
    np.testing.assert_allclose(seen(layers), expected, atol=4e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("gamma", [1, 0.5])
def test_rgb_is_shown_by_its_limits_and_gamma(dtype, gamma):
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    colours = (RNG.random((20, 30, 3)) * 0.5 * white).astype(dtype)
    layer = Image(colours, rgb=True, gamma=gamma, contrast_limits=(0.1 * white, 0.4 * white))
    expected = np.clip((colours / white - 0.1) / 0.3, 0, 1) ** gamma
    np.testing.assert_allclose(seen([layer]), expected, atol=1e-3)


def test_inverted():
    layer = Image(RAMP, contrast_limits=(200, 700))
    np.testing.assert_allclose(seen([layer], view=View(invert=True)), 1 - seen([layer]), atol=1e-6)


def in_zarr(data):
    store = zarr.create_array({}, shape=data.shape, chunks=(1, 10, 10), dtype=data.dtype)
    store[:] = data
    return store


@pytest.mark.parametrize("store", [np.asarray, da.from_array, in_zarr])
def test_a_slice_of_any_store(store):
    data = np.stack([RAMP, RAMP[::-1]])
    layer = Image(store(data), contrast_limits=(0, 1000))
    np.testing.assert_allclose(
        seen([layer], (1,)), seen([Image(RAMP[::-1], contrast_limits=(0, 1000))])
    )


def test_choosing_a_slice_reads_nothing():
    class Store:
        shape, dtype, ndim = (3, 8, 10), np.dtype(np.uint8), 3

        def __getitem__(self, key):
            self.asked.append(key)
            return np.zeros(self.shape, self.dtype)[key]

    store = Store()
    store.asked = []
    layer = Image(store, contrast_limits=(0, 1))
    store.asked.clear()
    channels_of([layer], (1,))
    assert not store.asked


def test_of_a_pyramid_all_levels_also_where_planes_are_fewer():
    data = RNG.random((4, 16, 20))
    layer = Image([data, data[::2, ::2, ::2]], multiscale=True, contrast_limits=(0, 1))
    (channel,) = channels_of([layer], (3,))
    everything = (slice(None), slice(None))
    np.testing.assert_array_equal(channel.levels[0][everything], data[3])
    np.testing.assert_array_equal(channel.levels[1][everything], data[2, ::2, ::2])


@pytest.mark.parametrize(
    ("other", "lies"),
    [
        (Image(RAMP, name="same", colormap="red"), True),
        (Image(RAMP[:-1]), False),
        (Image(RAMP, scale=(2, 2)), False),
        (Image(RAMP, units=("um", "um")), True),  # napari draws a unit on a pixel
        (Image(RAMP, translate=(0, 1)), False),
        (Image(RAMP, affine=[[1, 0.1, 0], [0, 1, 0], [0, 0, 1]]), False),
        (Image(np.stack([RAMP] * 2)), False),
    ],
)
def test_only_what_lies_on_the_image_is_a_channel_of_it(other, lies):
    image = Image(RAMP, name="image")
    assert fits_image(other, image) is lies
    if not lies:
        with pytest.raises(ImageError, match="'image'"):
            channels_of([image, other], ())


@pytest.mark.parametrize(
    ("scale", "unit", "lies"), [(1000, "nm", True), (1, "nm", False), (1, "um", True)]
)
def test_units_are_compared_as_lengths(scale, unit, lies):
    image = Image(RAMP, units=("um", "um"), translate=(3, 4))
    other = Image(RAMP, scale=(scale, scale), units=(unit, unit), translate=(3 * scale, 4 * scale))
    assert fits_image(other, image) is lies
