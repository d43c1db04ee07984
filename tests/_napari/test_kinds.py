"""Whatever kind of layer napari shows, its heatmaps lie exactly on it."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.widget import HeatmapWidget

SHAPE = (96, 128)
CENTRE = (47.5, 75.5)  # in data coordinates, of the planted object
HALF_A_PATCH = 4


def planted(dtype=np.uint8, leading=(), index=(), background=0.1):
    """Return dim noise with a bright rectangle of 16 x 24 pixels in one plane."""
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    image = np.random.default_rng(0).random((*leading, *SHAPE)) * background
    image[(*index, slice(40, 56), slice(64, 88))] = 1
    return (image * white).astype(dtype)


def in_zarr(data):
    store = zarr.create_array({}, shape=data.shape, chunks=(*data.shape[:-2], 32, 32), dtype="u2")
    store[:] = data
    return store


def pyramid(data):
    pooled = [data]
    for _ in range(2):
        fine = pooled[-1]
        pooled.append(fine.reshape(*fine.shape[:-2], fine.shape[-2] // 2, 2, -1, 2).mean((-3, -1)))
    return [da.from_array(level.astype(data.dtype), chunks=32) for level in pooled]


STACK = {"leading": (5,), "index": (3,)}
MOVIE = {"leading": (2, 5), "index": (1, 3)}
SHEARED = [[1.1, 0.3, 5], [-0.2, 0.9, 7], [0, 0, 1]]

KINDS = {
    "RGB": (lambda: np.stack([planted()] * 3, axis=-1), {"rgb": True}, ()),
    "RGBA": (
        lambda: np.stack([*[planted()] * 3, np.full(SHAPE, 255, "u1")], axis=-1),
        {"rgb": True},
        (),
    ),
    "gray": (planted, {}, ()),
    "16-bit": (lambda: planted(np.uint16) // 16, {"contrast_limits": (0, 4095)}, ()),
    "float": (lambda: planted(np.float32), {}, ()),
    "anisotropic in units": (
        planted,
        {"scale": (2, 0.5), "units": ("um", "um"), "axis_labels": ("row", "column")},
        (),
    ),
    "rotated": (planted, {"rotate": 30, "scale": (0.5, 0.5), "translate": (7, -3)}, ()),
    "sheared": (planted, {"shear": [0.4], "scale": (-1, 2)}, ()),
    "affine": (planted, {"affine": SHEARED, "scale": (0.3, 0.3)}, ()),
    "zyx": (
        lambda: planted(np.uint16, **STACK),
        {"scale": (5, 0.5, 0.5), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")},
        (3,),
    ),
    "zyx rotated in its plane": (
        lambda: planted(**STACK),
        {"rotate": [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]], "translate": (1, 2, 3)},
        (3,),
    ),
    "tzyx": (
        lambda: planted(**MOVIE),
        {"scale": (9, 5, 0.5, 0.5), "axis_labels": ("t", "z", "y", "x")},
        (1, 3),
    ),
    "multiscale": (
        lambda: pyramid(planted()),
        {"multiscale": True, "contrast_limits": (0, 255), "scale": (0.5, 0.5)},
        (),
    ),
    "multiscale zyx": (
        lambda: pyramid(planted(**STACK)),
        {"multiscale": True, "contrast_limits": (0, 255)},
        (3,),
    ),
    "dask": (lambda: da.from_array(planted(), chunks=40), {"contrast_limits": (0, 255)}, ()),
    "zarr": (
        lambda: in_zarr(planted(np.uint16, **STACK)),
        {"contrast_limits": (0, 65535)},
        (3,),
    ),
}


@pytest.fixture
def ask(viewer, progressive_session, qtbot, messages):
    widget = HeatmapWidget(viewer, progressive_session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["bright"]
    widget["score"].value = "absolute"

    def ask(image, **settings):
        widget["image"].value = image
        for name, value in settings.items():
            widget[name].value = value
        widget.start()
        qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
        assert not messages, messages
        return own_heatmaps(viewer, image)[0]

    return ask


def state(layer):
    names = ("name", "scale", "translate", "rotate", "shear", "contrast_limits", "opacity")
    settings = [np.array(getattr(layer, name)).tolist() for name in names]
    return settings, layer.affine.affine_matrix.tolist(), layer.colormap.name, layer.visible


def centre_of_light(plane):
    light = np.where(plane > np.nanmax(plane) / 2, plane, 0)
    return [np.average(np.arange(n), weights=light.sum(1 - axis)) for axis, n in enumerate(SHAPE)]


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_map_lies_on_the_image_and_the_image_stays_as_it_was(viewer, ask, kind):
    make, settings, index = KINDS[kind]
    data = make()
    image = viewer.add_image(data, name="image", **settings)
    viewer.dims.point = image.data_to_world((*index, *CENTRE))
    finest = image.data[0] if image.multiscale else image.data
    before = state(image), np.array(finest)

    heatmap = ask(image)

    assert heatmap.ndim == image.ndim
    np.testing.assert_allclose(heatmap.extent.world, image.extent.world)
    assert heatmap.units == image.units
    assert heatmap.axis_labels == image.axis_labels
    found = centre_of_light(np.asarray(heatmap.data[index]))
    world = heatmap.data_to_world((*index, *found))
    np.testing.assert_allclose(image.world_to_data(world), (*index, *CENTRE), atol=HALF_A_PATCH)
    assert state(image) == before[0]
    np.testing.assert_array_equal(image.data[0] if image.multiscale else image.data, before[1])


def test_channels_are_asked_together(viewer, ask):
    first, second = planted(), np.roll(planted(), 40, axis=0)
    layers = viewer.add_image(
        np.stack([first, second]), channel_axis=0, colormap=["red", "green"], name=["a", "b"]
    )
    alone = np.array(ask(layers[0], channels=[]).data)
    both = ask(layers[0], channels=[layers[1]])
    assert both.metadata["clip_heatmap"]["channels"] == ["a", "b"]
    assert alone[88:92, 70:80].max() < alone[44:52, 70:80].min() / 2
    assert both.data[86:92, 70:80].min() > alone[88:92, 70:80].max()


def test_all_slices_go_into_one_layer_the_one_shown_first(viewer, ask, model):
    movie = np.stack([planted(**STACK), planted(leading=(5,), index=(2,))])
    image = viewer.add_image(movie, axis_labels=("t", "z", "y", "x"), scale=(1, 4, 1, 1))
    viewer.dims.point = (1, 8, 0, 0)
    heatmap = ask(image, slices="all", along="z")
    assert heatmap.data.shape == movie.shape
    assert heatmap.metadata["clip_heatmap"]["slices"][0] == [1, 2]
    done = np.isfinite(heatmap.data).all((2, 3))
    np.testing.assert_array_equal(done, [[False] * 5, [True] * 5])
    brightest = heatmap.data[1].max((1, 2)).argmax()
    assert brightest == 2

    tiles = model.tiles
    viewer.dims.point = (0, 0, 0, 0)
    ask(image, slices="range", first=3, last=4)
    done = np.isfinite(heatmap.data).all((2, 3))  # what was done before stays
    np.testing.assert_array_equal(done, [[False] * 3 + [True] * 2, [True] * 5])
    assert tiles < model.tiles < 2 * tiles


def test_only_the_inside_of_shapes_and_only_its_tiles(viewer, ask, model):
    image = viewer.add_image(planted(), scale=(0.5, 0.5))
    ask(image)
    everything = model.tiles
    image.data = planted(background=0.2)
    corners = np.array([[20, 40], [20, 50], [29, 50], [29, 40]])  # world
    shapes = viewer.add_shapes([corners], shape_type="rectangle", name="roi")
    heatmap = ask(image, where=shapes)
    inside = np.isfinite(heatmap.data)
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 57, 80, 99)
    assert inside.sum() == 18 * 20
    assert model.tiles - everything < everything / 2
    assert heatmap.metadata["clip_heatmap"]["region"] == {"inside": "roi"}


def test_another_resolution_in_the_layers_unit(viewer, ask):
    image = viewer.add_image(planted(), scale=(0.5, 0.5), units=("um", "um"))
    heatmap = ask(image, resolution="1 um")
    assert heatmap.metadata["clip_heatmap"]["downsample"] == 2
    assert heatmap.metadata["clip_heatmap"]["view"]["mode"] == "shown"
    np.testing.assert_allclose(centre_of_light(heatmap.data), CENTRE, atol=2 * HALF_A_PATCH)


def test_the_negative(viewer, ask):
    image = viewer.add_image(planted())
    positive = np.array(ask(image).data)
    negative = ask(image, invert=True).data
    np.testing.assert_allclose(negative - negative.mean(), -(positive - positive.mean()), atol=1e-4)
