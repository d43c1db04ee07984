"""Every choice that the sections offer is one that the library takes."""

from __future__ import annotations

import numpy as np
import pint
import pytest
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap

from napari_clip_heatmap._napari.colormaps import LayerStyle, named_colormap
from napari_clip_heatmap._napari.inputs.layer_planes import SliceChoice, requested_planes
from napari_clip_heatmap._napari.inputs.pixel_size import read_resolution
from napari_clip_heatmap._napari.views.choices import PROMPTS_ONLY
from napari_clip_heatmap._napari.views.control_spec import ControlSources
from napari_clip_heatmap._napari.views.section_controls import (
    PRECISIONS,
    PREPROCESSINGS,
    RESOLUTIONS,
    SECTION_CONTROLS,
    VIEWS,
)
from napari_clip_heatmap.clip.devices import PRECISIONS as PRECISIONS_OF_DEVICES
from napari_clip_heatmap.clip.sources.normalization import PREPROCESSINGS as PREPROCESSINGS_OF_CLIP
from napari_clip_heatmap.imaging.view import MODES, View
from napari_clip_heatmap.prompting.language import TEMPLATES


@pytest.fixture
def stack():
    return Image(np.zeros((4, 5, 16, 16)), axis_labels=("t", "z", "y", "x"))


@pytest.fixture
def devices():
    return ["auto", "cpu"]


@pytest.fixture
def controls(qapp, stack, devices):
    sources = ControlSources(lambda: None, lambda: stack, lambda: tuple(devices), LayerStyle)
    return {spec.name: spec.widget(sources) for spec in SECTION_CONTROLS}


def test_all_sections_are_tabs():
    assert all(spec.section.is_tab for spec in SECTION_CONTROLS)


def test_names_that_importing_would_cost_torch_are_those_of_the_library():
    assert tuple(PREPROCESSINGS_OF_CLIP) == PREPROCESSINGS
    assert {*PRECISIONS} == {"auto", *PRECISIONS_OF_DEVICES}


def test_every_view_is_a_mode():
    assert {value for _, value in VIEWS} == {*MODES}
    assert [View(value).mode for _, value in VIEWS] == [value for _, value in VIEWS]


@pytest.mark.parametrize("text", RESOLUTIONS)
def test_every_resolution_is_read(text):
    unit = pint.Unit("micrometer")
    assert read_resolution(text, (1, 1), (unit, unit)) == ("auto" if text == "auto" else int(text))


def test_every_colormap_and_scale_makes_a_style(controls):
    for name in controls["colormap"].choices:
        assert ensure_colormap(named_colormap(name))
    for scale in ("shared", "own"):
        style = LayerStyle(scale=scale)
        assert len(style.limits([(0.0, 1.0), (0.0, 2.0)], ["a", "b"])) == 2


def test_every_kind_of_slices_along_every_axis_names_planes(controls, stack):
    assert controls["along"].choices == ("z", "t", "every axis")
    for over in controls["slices"].choices:
        for along in controls["along"].choices:
            slices = SliceChoice(over, along, first=1, last=2)
            assert requested_planes(stack, (0, 0), slices)


def test_first_and_last_take_any_slice(controls):
    for name in ("first", "last"):
        controls[name].value = 99_999
        assert controls[name].value == 99_999


def test_the_prompts_alone_are_ranked_by_default(controls):
    assert controls["ranking_list"].value == controls["ranking_list"].choices[0] == PROMPTS_ONLY


def test_templates_are_those_of_the_library_or_typed(controls):
    assert controls["templates"].choices == tuple(TEMPLATES)
    controls["templates"].value = "a photo of {}"
    assert controls["templates"].value == "a photo of {}"


def test_devices_found_later_are_offered(controls, devices):
    assert controls["device"].choices == ("auto", "cpu")
    devices.append("cuda")
    controls["device"].reset_choices()
    assert controls["device"].choices == ("auto", "cpu", "cuda")
    assert controls["device"].value == "auto"
