"""The model sees what the viewer shows: the same layers in a real viewer, exported as a figure."""

from __future__ import annotations

import dask.array as da
import napari
import numpy as np
import pytest
from napari.utils.colormaps import Colormap

from napari_clip_heatmap._napari.inputs.layer_channels import channels_of, outside_shift, view_notes
from napari_clip_heatmap._napari.inputs.layer_planes import placement, shown_index
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import View

pytestmark = pytest.mark.filterwarnings("ignore:.*export_figure.*")

SHAPE = (32, 40)
TONES = np.random.default_rng(1).random((6, *SHAPE))
GRAY = TONES[0]
RAMP = np.add.outer(np.linspace(0, 0.5, 32), np.linspace(0, 0.5, 40))
COLORS = np.moveaxis(TONES[:3], 0, -1)
CLEAR = np.concatenate([COLORS, TONES[3:4].transpose(1, 2, 0)], axis=-1)
BLOBS = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1], GRAY, RAMP[::-1, ::-1]])
FADING = Colormap([[0, 0, 1, 0], [1, 1, 0, 1]], name="fading")
STEPS = Colormap(
    [[0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 0, 1]], name="steps", interpolation="zero",
    controls=[0, 0.3, 0.7, 1],
)  # fmt: skip


def of_type(values, dtype):
    return (values * np.iinfo(dtype).max).astype(dtype)


def one(data=GRAY, **settings):
    return [{"data": data, **settings}]


def two(data=(RAMP, GRAY), colormaps=("magenta", "green"), **upper):
    lower = {"data": data[0], "colormap": colormaps[0], "blending": "additive"}
    return [lower, {"data": data[1], "colormap": colormaps[1], **upper}]


SETTINGS = {
    "gray": one(),
    "limits": one(contrast_limits=(0.3, 0.6)),
    "gamma": one(gamma=0.4),
    "gamma and limits": one(gamma=1.8, contrast_limits=(0.1, 0.9)),
    "uint16": one(of_type(GRAY, np.uint16), contrast_limits=(9000, 50000)),
    "int16": one((GRAY * 4000 - 2000).astype(np.int16), contrast_limits=(-1500, 1000)),
    "uint8": one(of_type(GRAY, np.uint8)),
    "bool": one(GRAY > 0.5),
    "viridis": one(colormap="viridis"),
    "inverted": one(colormap="gray_r"),
    "steps": one(RAMP, colormap=STEPS),
    "HiLo": one(RAMP, colormap="HiLo", contrast_limits=(0.2, 0.7)),
    "alpha in the colormap": one(colormap=FADING),
    "half opaque": one(opacity=0.5),
    "additive alone": one(blending="additive", opacity=0.6, colormap="cyan"),
    "minimum alone": one(blending="minimum", opacity=0.6, colormap="gray_r"),
    "opaque alone": one(blending="opaque", colormap="magma"),
    "uint8 RGB": one(of_type(COLORS, np.uint8), rgb=True),
    "uint8 RGB by limits": one(of_type(COLORS, np.uint8), rgb=True, contrast_limits=(60, 150)),
    "uint16 RGB": one(of_type(COLORS, np.uint16), rgb=True),
    "uint16 RGB by limits": one(
        of_type(COLORS, np.uint16), rgb=True, contrast_limits=(20000, 40000), gamma=0.7
    ),
    "float RGB": one((COLORS * 40).astype(np.float32), rgb=True),
    "float RGB by gamma": one(COLORS.astype(np.float32), rgb=True, gamma=2),
    "RGBA": one(of_type(CLEAR, np.uint8), rgb=True),
    "RGBA by limits": one(of_type(CLEAR, np.uint8), rgb=True, contrast_limits=(40, 200), gamma=0.6),
    "two added": two(blending="additive"),
    "two added, half opaque": two(blending="additive", opacity=0.5),
    "two translucent": two(blending="translucent", opacity=0.4),
    "two without depth": two(blending="translucent_no_depth", opacity=0.7),
    "two opaque": two(blending="opaque"),
    "two by minimum": two(colormaps=("gray_r", "I Purple"), blending="minimum"),
    "two by minimum, half opaque": two(
        colormaps=("I Orange", "I Blue"), blending="minimum", opacity=0.5
    ),
    "two multiplied": two(colormaps=("cyan", "viridis"), blending="multiplicative"),
    "fading over another": two(colormaps=("gray", FADING), blending="translucent"),
    "RGB beneath gray": [
        {"data": of_type(COLORS, np.uint8), "rgb": True},
        {"data": RAMP, "colormap": "red", "blending": "additive"},
    ],
    "RGBA over gray": [
        {"data": RAMP},
        {"data": of_type(CLEAR, np.uint8), "rgb": True, "opacity": 0.8},
    ],
    "three by minimum": [
        {"data": BLOBS[n], "colormap": name, "blending": "minimum"}
        for n, name in enumerate(("I Blue", "I Orange", "I Forest"))
    ],
    "anisotropic": one(scale=(1, 1), translate=(100, -20)),
    "a slice": one(BLOBS),
    "a lazy slice": one(da.from_array(BLOBS, chunks=(1, 16, 16)), contrast_limits=(0, 1)),
}

THICK = {
    mode: one(BLOBS, projection_mode=mode, contrast_limits=limits)
    for mode, limits in {
        "none": (0, 1), "sum": (0, 3), "mean": (0.2, 0.8), "max": (0, 1), "min": (0, 1)
    }.items()
}  # fmt: skip


@pytest.fixture(scope="module")
def stage(qapp):
    """A viewer that all settings are tried in: making one takes longer than drawing in it."""
    viewer = napari.Viewer(show=True)  # a hidden one draws nothing
    yield viewer
    viewer.close()


@pytest.fixture
def viewer(stage):
    yield stage
    stage.layers.clear()
    stage.dims.ndisplay = 2
    stage.dims.order = tuple(range(stage.dims.ndim))
    stage.dims.reset()


def seen(viewer, layers):
    """What the model sees of layers, (y, x, 3) in 0..1."""
    channels = channels_of(layers, shown_index(layers[0], viewer.dims.point), viewer)
    height, width = channels[0].shape
    source = ImageSource(channels, View().appearance(channels), (height, width))
    return source.read(slice(0, height), slice(0, width))


def drawn(viewer):
    """What the viewer shows, (y, x, 3) in 0..1."""
    return viewer.export_figure(flash=False)[..., :3] / 255


def add(viewer, settings):
    layers = [viewer.add_image(**each) for each in settings]
    if len({layer.ndim for layer in layers}) == 1 and layers[0].ndim == 3:
        viewer.dims.set_point(0, 2)
    return layers


def check(viewer, layers):
    model, screen = seen(viewer, layers), drawn(viewer)
    assert model.shape == screen.shape
    assert screen.std() > 0.01, "nothing is drawn, so nothing is compared"
    assert np.corrcoef(model.ravel(), screen.ravel())[0, 1] >= 0.999
    assert np.abs(model - screen).mean() < 0.01
    assert not view_notes(layers, viewer)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_model_sees_what_is_exported(viewer, name):
    check(viewer, add(viewer, SETTINGS[name]))


@pytest.mark.parametrize("mode", THICK)
@pytest.mark.parametrize("margins", [(1, 1), (1.5, 0), (0.2, 9)])
def test_thick_slices_are_projected(viewer, mode, margins):
    layers = add(viewer, THICK[mode])
    viewer.dims.margin_left = (margins[0], 0, 0)
    viewer.dims.margin_right = (margins[1], 0, 0)
    check(viewer, layers)


def test_on_a_light_background(viewer):
    viewer.theme = "light"  # once: styling a window takes a second
    for name in ("RGBA", "half opaque", "alpha in the colormap", "minimum alone"):
        check(viewer, add(viewer, SETTINGS[name]))
        viewer.layers.clear()
    viewer.theme = "dark"


def test_the_order_of_layers_is_the_viewers(viewer):
    lower, upper = add(viewer, two(blending="translucent", opacity=0.4))
    viewer.layers.reverse()
    check(viewer, [lower, upper])
    check(viewer, [upper, lower])


@pytest.mark.parametrize("seed", range(12))
def test_random_layers(viewer, seed):
    rng = np.random.default_rng(seed)
    modes = ("translucent", "additive", "minimum", "opaque", "multiplicative")
    layers = []
    for _ in range(rng.integers(1, 4)):
        low, high = np.sort(rng.random(2))
        settings = {
            "contrast_limits": (low, high + 0.1),
            "gamma": rng.uniform(0.4, 2),
            "opacity": rng.uniform(0.3, 1),
            "blending": rng.choice(modes),
        }
        if rng.random() < 0.3:
            colors = rng.random((*SHAPE, int(rng.integers(3, 5)))).astype(np.float32)
            layers.append(viewer.add_image(colors, rgb=True, **settings))
        else:
            colormap = rng.choice(["gray", "gray_r", "viridis", "I Blue", "magenta", "turbo"])
            layers.append(viewer.add_image(rng.random(SHAPE), colormap=colormap, **settings))
    check(viewer, layers)


def test_in_3d_the_plane_is_named(viewer):
    (layer,) = add(viewer, one(BLOBS, axis_labels=("z", "y", "x")))
    viewer.dims.ndisplay = 3
    (note,) = view_notes([layer], viewer)
    assert note == "The view is in 3D; the model sees the plane of y and x at z = 2."


@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ((1, 2, 0), "x and z"),
        ((2, 0, 1), "z and y"),
        ((1, 0, 2), "z and x"),
        ((2, 1, 0), "y and z"),
    ],
)
def test_of_rolled_axes_the_plane_is_named(viewer, order, shown):
    (layer,) = add(viewer, one(BLOBS, axis_labels=("z", "y", "x")))
    before = seen(viewer, [layer])
    viewer.dims.order = order
    (note,) = view_notes([layer], viewer)
    assert note.startswith(
        f"The view shows the plane of {shown}; the model sees the plane of y and x at z = 2."
    )
    np.testing.assert_array_equal(seen(viewer, [layer]), before)
    down, right = ({"z": 5, "y": 32, "x": 40}[axis] for axis in shown.split(" and "))
    assert drawn(viewer).shape[:2] == (down, right)


@pytest.mark.parametrize("stacked", [False, True])
def test_transposed_axes_are_named_and_the_heatmap_lies_on_its_image(viewer, stacked):
    data = BLOBS if stacked else GRAY
    labels = ("z", "y", "x")[3 - data.ndim :]
    (layer,) = add(viewer, one(data, contrast_limits=(0, 1), axis_labels=labels))
    viewer.dims.order = (0, 2, 1) if stacked else (1, 0)
    (note,) = view_notes([layer], viewer)
    at = " at z = 2" if stacked else ""
    assert note.startswith(
        "The view is transposed: x runs down and y to the right; the model sees the plane of y "
        f"and x{at}, not transposed."
    )
    picture = drawn(viewer)
    close = {"rtol": 0, "atol": 0.01}
    np.testing.assert_allclose(seen(viewer, [layer]).swapaxes(0, 1), picture, **close)
    heatmap = viewer.add_image(data, contrast_limits=(0, 1), **placement(layer))
    layer.visible = False
    np.testing.assert_allclose(drawn(viewer), picture, **close)
    heatmap.visible = False


def test_a_plane_under_a_rolled_stack_is_drawn_as_it_is(viewer):
    viewer.add_image(np.zeros((5, *SHAPE)), contrast_limits=(0, 1), visible=False)
    (layer,) = add(viewer, one())
    viewer.dims.order = (1, 2, 0)
    picture = drawn(viewer)[:, :5]  # cut off where the stack, which is shown from the side, ends
    model = seen(viewer, [layer])
    assert np.abs(model[:, :5] - picture[:32]).mean() < 0.01
    assert not view_notes([layer], viewer)


@pytest.mark.parametrize(("place", "step"), [(-2, 0), (6, 4)])
def test_sliders_outside_the_image_are_named(viewer, place, step):
    (layer,) = add(viewer, one(BLOBS, axis_labels=("z", "y", "x"), projection_mode="mean"))
    viewer.add_points([(-9, 0, 0), (9, 0, 0)], visible=False)
    viewer.dims.margin_left = viewer.dims.margin_right = (3, 0, 0)
    viewer.dims.set_point(0, place)
    assert drawn(viewer).std() > 0.01, "the margin reaches the image"
    (note,) = view_notes([layer], viewer)
    assert f"at {place}; the model sees the plane of y and x at z = {step}" in note
    assert note.endswith("is drawn where the image is.")
    viewer.dims.margin_left = viewer.dims.margin_right = (0, 0, 0)
    (note,) = view_notes([layer], viewer)
    assert note.endswith("move the sliders there to see it.")


@pytest.mark.parametrize("scale", [(1, 1, 1), (2.5, 0.5, 0.5)])
@pytest.mark.parametrize("place", [-2, 6])
def test_a_map_is_moved_to_where_a_margin_draws_its_image(viewer, place, scale):
    (layer,) = add(viewer, one(BLOBS, projection_mode="mean", scale=scale))
    middle = [
        n * each / 2 for n, each in zip(BLOBS.shape[1:], scale[1:], strict=True)
    ]  # so that the picture grows along z alone
    viewer.add_points([(z * scale[0], *middle) for z in (-9, 9)], size=1, visible=False)
    viewer.dims.margin_left = viewer.dims.margin_right = (3 * scale[0], 0, 0)
    viewer.dims.set_point(0, place * scale[0])
    assert drawn(viewer).std() > 0.01
    values = np.full(BLOBS.shape, np.nan, np.float32)
    values[shown_index(layer, viewer.dims.point)] = RAMP
    layer.visible = False
    where = placement(layer)
    where["translate"] = where["translate"] + outside_shift(layer, viewer)
    viewer.add_image(values, contrast_limits=(0, 1), projection_mode="none", **where)
    np.testing.assert_allclose(drawn(viewer)[..., 0], RAMP, rtol=0, atol=0.01)
    viewer.dims.set_point(0, 2 * scale[0])
    assert not outside_shift(layer, viewer).any()


@pytest.mark.parametrize("mode", ["none", "mean", "max"])
@pytest.mark.parametrize("plane", [0, 2, 4])
def test_the_heatmap_of_a_thick_slice_is_drawn(viewer, mode, plane):
    (layer,) = add(viewer, one(BLOBS, projection_mode=mode))
    viewer.dims.margin_left = viewer.dims.margin_right = (2, 0, 0)
    viewer.dims.set_point(0, plane)
    assert drawn(viewer).std() > 0.01
    values = np.full(BLOBS.shape, np.nan, np.float32)
    values[shown_index(layer, viewer.dims.point)] = RAMP
    layer.visible = False
    look = {"contrast_limits": (0, 1), "projection_mode": "none"}
    viewer.add_image(values, **look, **placement(layer))
    np.testing.assert_allclose(drawn(viewer)[..., 0], RAMP, rtol=0, atol=0.01)


def test_a_visible_layer_that_is_left_out_is_named(viewer):
    lower, upper = add(viewer, two(blending="additive"))
    upper.name = "membranes"
    (note,) = view_notes([lower], viewer)
    assert "does not see 'membranes'" in note
    upper.visible = False
    assert not view_notes([lower], viewer)
    (note,) = view_notes([lower, upper], viewer)
    assert "'membranes' is hidden" in note
