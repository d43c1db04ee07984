from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.controllers.layer_sync import StyleController
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, is_heatmap, placement


@pytest.fixture
def made(state, viewer_model, session, immediate, cells):
    """The heatmap layers of `cells`, by row."""
    RunController(state, viewer_model, session).start()
    return layers.heatmaps_by_row(viewer_model, cells)


def test_layers_lie_on_the_image_named_by_their_prompt(made, viewer_model, cells):
    assert [layer.name for layer in made.values()] == ["red", "green", "blue"]
    assert all(layers.is_own(layer, cells) for layer in made.values())
    assert not layers.is_own(cells)
    assert [layer.visible for layer in made.values()] == [True, False, False]
    assert viewer_model.layers[0] is cells


def test_layers_are_inserted_where_their_rows_are(state, viewer_model, session, immediate, cells):
    moved = []
    viewer_model.layers.events.moved.connect(moved.append)
    state.current = "g"
    above = viewer_model.add_points(name="the user's")
    controller = RunController(state, viewer_model, session)
    controller.start()
    assert [layer.name for layer in layers.own_heatmaps(viewer_model)] == ["red", "green", "blue"]
    assert [*layers.heatmaps_by_row(viewer_model, cells)] == ["r", "g", "b"]
    assert above in viewer_model.layers
    assert not moved  # which takes napari as long as adding a layer


def test_links_change_only_where_the_scale_does(state, viewer_model, session, immediate, cells):
    style = StyleController(state, viewer_model)
    state.style = LayerStyle(scale="shared")
    RunController(state, viewer_model, session).start()
    red, green, blue = layers.heatmaps_by_row(viewer_model, cells).values()
    changes = []
    viewer_model.layers.selection.events.changed.connect(changes.append)
    shared = tuple(red.contrast_limits)
    style.pause_links()
    layers.set_limits(red, (-1, 1))
    assert tuple(green.contrast_limits) == shared
    style.apply()
    assert tuple(red.contrast_limits) == shared
    assert not changes  # of which napari renews all its buttons
    layers.set_limits(red, (-1, 2))
    assert tuple(green.contrast_limits) == tuple(blue.contrast_limits) == (-1, 2)
    state.style = LayerStyle(scale="own")
    layers.set_limits(red, (-3, 3))
    assert tuple(green.contrast_limits) != (-3, 3)


def test_a_duplicate_is_a_heatmap_but_not_ours(made, viewer_model):
    copy = viewer_model.add_image(made["r"].data, metadata=dict(made["r"].metadata))
    assert is_heatmap(copy)
    assert not layers.is_own(copy)
    assert layers.remove_all(viewer_model) == 3
    assert copy in viewer_model.layers


def test_layers_of_one_image_are_not_those_of_another(made, viewer_model, cells, pixels):
    other = viewer_model.add_image(pixels)
    assert layers.heatmaps_by_row(viewer_model, other) == {}
    assert layers.heatmaps_by_row(viewer_model, None) == {}
    assert layers.remove_all(viewer_model, other) == 0
    assert len(layers.own_heatmaps(viewer_model, cells)) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", (0.5, 2.0)),
        ("translate", (3.0, -4.0)),
        ("rotate", 30.0),
        ("units", ("um", "um")),
        ("affine", np.diag([2.0, 2.0, 1.0])),
    ],
)
def test_a_layer_is_moved_to_where_its_source_is(made, cells, name, value):
    setattr(cells, name, value)
    layers.align(made["r"], cells)
    np.testing.assert_array_equal(
        np.asarray(getattr(made["r"], name)), np.asarray(getattr(cells, name))
    )


def test_all_are_shown_or_hidden_at_once(made, viewer_model, cells):
    layers.set_visible(layers.own_heatmaps(viewer_model), visible=False)
    assert not any(layer.visible for layer in made.values())
    assert cells.visible


def test_what_is_shown_already_is_not_drawn_again(made):
    drawn = []
    for layer in made.values():
        layer.events.set_data.connect(lambda event: drawn.append(event.source))
    layers.set_visible(made.values(), visible=True)
    assert drawn == [made["g"], made["b"]]


def test_limits_are_set_with_their_range(made):
    layers.set_limits(made["r"], (-2.0, 5.0))
    assert tuple(made["r"].contrast_limits) == tuple(made["r"].contrast_limits_range) == (-2, 5)


def test_the_metadata_say_which_layer_they_belong_to(made):
    record = made["g"].metadata[METADATA_KEY]
    assert record["layer_id"] == str(made["g"].unique_id)
    assert record["prompt"] == "green"
    assert layers.row_key_of(made["g"]) == "g"


def test_styles_reach_the_layers_and_one_scale_links_them(made, state, viewer_model):
    _style = StyleController(state, viewer_model)
    state.style = LayerStyle(default="magma", own={"g": "viridis"}, scale="shared")
    assert [layer.colormap.name for layer in made.values()] == ["magma", "viridis", "magma"]
    assert len({tuple(layer.contrast_limits) for layer in made.values()}) == 1
    made["r"].contrast_limits = (0, 0.001)
    assert tuple(made["b"].contrast_limits) == (0, 0.001)
    state.forget_by_hand("contrast_limits")
    state.style = LayerStyle(scale="own")
    made["r"].contrast_limits = (0, 0.002)
    assert tuple(made["b"].contrast_limits) != (0, 0.002)


def test_a_thick_slice_does_not_project_maps(made):
    # Most planes of a stack have no map, and a projection over them would be empty.
    assert {layer.projection_mode for layer in made.values()} == {"none"}


def test_in_3d_a_map_is_an_attenuated_projection_that_hides_nothing(made):
    for layer in made.values():
        assert layer.rendering == "attenuated_mip"
        assert layer.blending == "translucent_no_depth"


def test_layers_lie_as_their_rows_do(made, viewer_model, cells):
    assert [*layers.heatmaps_by_row(viewer_model, cells)] == ["r", "g", "b"]
    layers.arrange(viewer_model, cells, ["b", "r", "g"])
    assert [*layers.heatmaps_by_row(viewer_model, cells)] == ["b", "r", "g"]
    assert viewer_model.layers[0] is cells


SHEARED = np.array([[1.1, 0.3, 5], [-0.2, 0.9, 7], [0, 0, 1]])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": (0.5, 2), "translate": (3, -4), "units": ("um", "um")},
        {"rotate": 30, "shear": [0.2], "scale": (-1, 2), "axis_labels": ("row", "column")},
        {"affine": SHEARED, "rotate": 10},
    ],
)
def test_a_heatmap_lies_on_its_image(options):
    source = Image(np.zeros((20, 30)), **options)
    heatmap = Image(np.zeros((20, 30)), **placement(source))
    np.testing.assert_allclose(heatmap.extent.world, source.extent.world)
    for corner in [(0, 0), (19, 0), (7, 29)]:
        np.testing.assert_allclose(heatmap.data_to_world(corner), source.data_to_world(corner))
    assert heatmap.units == source.units
    assert heatmap.axis_labels == source.axis_labels


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")
@pytest.mark.parametrize("rotate", [0, (10, 20, 30)])
def test_a_stack_lies_on_its_stack(rotate):
    source = Image(
        np.zeros((4, 5, 20, 30)),
        scale=(1, 3, 0.5, 0.5),
        translate=(9, 8, 7, 6),
        units=("s", "um", "um", "um"),
        rotate=np.eye(4) if rotate == 0 else _turn(rotate),
    )
    heatmap = Image(np.zeros((4, 5, 20, 30), np.float32), **placement(source))
    for corner in [(0, 0, 0, 0), (3, 4, 19, 0), (1, 2, 7, 29)]:
        np.testing.assert_allclose(heatmap.data_to_world(corner), source.data_to_world(corner))
    assert heatmap.units == source.units


def _turn(angles):
    turn = np.eye(4)
    turn[1:, 1:] = Image(np.zeros((2, 2, 2)), rotate=angles).rotate
    return turn
