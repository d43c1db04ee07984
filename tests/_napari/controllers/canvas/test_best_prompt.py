from __future__ import annotations

from unittest.mock import MagicMock

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_clip_heatmap._napari.controllers.canvas.best_prompt import BestPromptView, best_prompt
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.views.prompt_model import PromptModel

VALUES = st.floats(-4, 4, width=32) | st.just(np.nan)


@given(maps=arrays(np.float32, (3, 4, 5), elements=VALUES), even=st.booleans())
def test_the_highest_value_names_the_prompt(maps, even):
    found = best_prompt(list(maps), even)
    for place in np.ndindex(4, 5):
        values = maps[(slice(None), *place)]
        known = values[np.isfinite(values)]
        if not len(known) or (even and known.max() <= 0):
            assert found[place] == 0
        else:
            assert values[found[place] - 1] == known.max()
    lazy = best_prompt([da.from_array(each, chunks=2) for each in maps], even)
    np.testing.assert_array_equal(lazy.compute(), found)


@pytest.fixture
def table():
    return MagicMock(spec=PromptModel)


@pytest.fixture
def best(state, viewer_model, session, immediate, table):
    """Of a dock whose image has been run: a red, a green and a blue stripe."""
    RunController(state, viewer_model, session).start()
    best = BestPromptView(state, viewer_model, table)
    yield best
    best.close()


def test_each_stripe_has_the_color_of_its_prompt(best, state, viewer_model, cells, table):
    state.set_control("best", True)
    layer = viewer_model.layers["best prompt - cells"]
    assert [layer.data[48, x] for x in (20, 60, 100)] == [1, 2, 3]
    swatches = table.set_swatches.call_args.args[0]
    assert {*swatches} == {"r", "g", "b"}
    assert len({*swatches.values()}) == 3
    np.testing.assert_allclose(layer.data_to_world((0, 0)), cells.data_to_world((0, 0)))
    assert not any(each.visible for each in heatmaps_by_row(viewer_model, cells).values())
    state.set_control("best", False)
    assert layer not in viewer_model.layers
    assert [each.visible for each in heatmaps_by_row(viewer_model, cells).values()].count(True) == 1
    table.set_swatches.assert_called_with({})


def test_an_image_without_maps_has_no_such_layer(best, state, viewer_model, pixels, qtbot):
    state.set_control("best", True)
    state.image = viewer_model.add_image(pixels, name="other")
    qtbot.waitUntil(lambda: not any(layer.name.startswith("best") for layer in viewer_model.layers))
