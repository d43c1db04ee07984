from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest
from psygnal import Signal

from napari_clip_heatmap._napari.controllers.binding import VALUE_CONTROLS, ControlBinding
from napari_clip_heatmap._napari.job.request import RunStep
from napari_clip_heatmap._napari.state import DockState, PromptRow, RunStatus
from napari_clip_heatmap._napari.view_protocols import DockView
from napari_clip_heatmap.prompting.prompt_set import Entry, PromptSet


class Control:
    """A control whose value emits, with nothing on screen."""

    changed = Signal(object)

    def __init__(self, value=None):
        self._value = value
        self.enabled = self.visible = True
        self.max, self.native = 1, MagicMock()
        self.reset_choices = MagicMock()
        self.choices = ()

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, value):
        self._value = value
        self.changed.emit(value)


class Channels(Control):
    """The list of channels."""

    offered = Signal(bool)

    def __init__(self, value=None):
        super().__init__(value)
        self.reset_choices = lambda: self.offered.emit(bool(self.choices))


class Rows:
    """The rows of the prompt table."""

    colored = Signal(str)

    def __init__(self):
        self.rows = ()


class Prompts(Control):
    """The prompt table."""

    loaded = Signal(object)

    def __init__(self):
        super().__init__([])
        self.model = Rows()
        self.repaint = MagicMock()
        self.templates = "plain"

    @property
    def rows(self):
        return self.model.rows


@pytest.fixture
def dock(state):
    """A view with a control for each name; it starts as `state` is."""
    names = ("run", "cancel", "progress", "status", "notes", "image", "channels")
    controls = {name: Control(state.controls.get(name)) for name in (*names, *VALUE_CONTROLS)}
    controls["prompts"] = Prompts()
    controls["channels"] = Channels([])
    return MagicMock(spec=DockView, controls=controls)


@pytest.fixture
def bound(dock):
    state = DockState()
    return state, ControlBinding(state, dock), dock.controls


def test_what_the_user_sets_is_in_the_state_and_nowhere_else(bound, viewer_model):
    state, _, controls = bound
    controls["score"].value = "contrast"
    assert state.controls["score"] == "contrast"
    controls["prompts"].model.rows = (PromptRow("red", key="r"), PromptRow("sky", "magma", "s"))
    controls["prompts"].changed.emit(["red", "sky"])
    assert [row.prompt for row in state.prompts] == ["red", "sky"]
    assert state.style.own == {"s": "magma"}
    layer = viewer_model.add_image(np.zeros((9, 9)))
    controls["channels"].value = [layer]
    assert state.channels == (layer,)


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("colormap", "magma", "default"),
        ("scale", "shared", "scale"),
        ("transparent_low", True, "transparent_low"),
    ],
)
def test_the_style_follows_its_controls_and_the_table_is_drawn_again(bound, name, value, field):
    state, _, controls = bound
    controls["prompts"].repaint.reset_mock()
    controls[name].value = value
    assert getattr(state.style, field) == value
    controls["prompts"].repaint.assert_called()


def test_run_and_cancel_are_enabled_by_the_status(bound):
    state, _, controls = bound
    found = {}
    for status in (*RunStatus, RunStatus.IDLE):
        state.status = status
        found[status] = controls["run"].enabled, controls["cancel"].enabled
    assert found == {
        RunStatus.IDLE: (True, False),
        RunStatus.RUNNING: (False, True),
        RunStatus.CANCELLING: (False, False),
        RunStatus.SHOWING: (False, False),
    }


def test_progress_message_and_notes_are_shown(bound):
    state, _, controls = bound
    state.status = RunStatus.RUNNING
    state.step = RunStep("Tile 3 of 12", 3, 12)
    assert (controls["progress"].max, controls["progress"].value) == (12, 3)
    state.message, state.notes = "Tile 3 of 12", ("One.", "Two.")
    assert controls["status"].value == "Tile 3 of 12"
    assert controls["notes"].value == "One.\nTwo."
    state.status = RunStatus.SHOWING
    state.status = RunStatus.IDLE
    assert (controls["progress"].max, controls["progress"].value) == (1, 0)


def test_the_baseline_is_seen_where_the_score_takes_one(bound):
    _, _, controls = bound
    for score, seen in (("contrast", True), ("relative", False), ("softmax", True)):
        controls["score"].value = score
        assert controls["baseline"].visible is seen


def test_slices_are_asked_of_stacks_only(bound, dock, viewer_model):
    _, _, controls = bound
    dock.show_row.reset_mock()
    controls["image"].value = viewer_model.add_image(np.zeros((5, 9, 9)))
    shown = {call.args[0]: call.kwargs["shown"] for call in dock.show_row.call_args_list}
    stack = {"slices": True, "follow": True, "channels": False}
    assert shown == {**stack, "along": False, "first": False, "last": False}
    controls["slices"].value = "range"
    shown = {call.args[0]: call.kwargs["shown"] for call in dock.show_row.call_args_list}
    assert shown == {**stack, "along": True, "first": True, "last": True}
    controls["image"].value = viewer_model.add_image(np.zeros((9, 9)))
    shown = {call.args[0]: call.kwargs["shown"] for call in dock.show_row.call_args_list}
    assert not any(shown.values())


def test_visible_additive_siblings_are_ticked_unless_the_user_unticked_them(bound, viewer_model):
    state, _, controls = bound
    channels = controls["channels"]
    one, two, three, four = (
        viewer_model.add_image(np.zeros((9, 9)), name=str(n), blending="additive") for n in range(4)
    )
    three.visible, four.blending = False, "translucent"
    channels.choices = (two, three, four)
    controls["image"].value = one
    assert state.channels == (two,)
    channels.value = [three]
    assert state.channels == (three,)
    channels.choices = (one, two, three)
    controls["image"].value = four
    assert state.channels == (one, three)


def test_the_button_offers_the_slice_that_has_no_maps(bound):
    state, _, controls = bound
    state.missing_slice = (2,)
    assert controls["run"].text == "Run slice"
    state.missing_slice = None
    assert controls["run"].text == "Run"


def test_a_set_of_prompts_brings_its_templates(bound):
    state, _, controls = bound
    entries = (Entry(prompt="nuclei"),)
    templates = ("a photo of {}", "a drawing of {}")
    controls["prompts"].loaded.emit(PromptSet(prompts=entries, templates=templates))
    assert state.controls["templates"] == "a photo of {}; a drawing of {}"
    assert controls["prompts"].templates == templates


def test_new_devices_are_offered(bound):
    state, _, controls = bound
    state.devices = ("auto", "cuda:0", "cpu")
    controls["device"].reset_choices.assert_called()
