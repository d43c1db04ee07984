"""The section Examples without a window: its controls are values with signals."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from psygnal import SignalInstance

from napari_clip_heatmap._napari.controllers.examples import example_section
from napari_clip_heatmap._napari.controllers.examples.example_section import ExampleSection
from napari_clip_heatmap._napari.controllers.run_control import RunController


class Control:
    """A value that says when it changes."""

    def __init__(self, value):
        self._value = value
        self.changed = SignalInstance((object,))

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, value):
        if value != self._value:
            self._value = value
            self.changed.emit(value)


class Rows:
    """The rows of the table, without a table."""

    def __init__(self, state):
        self._state = state

    @property
    def rows(self):
        return self._state.prompts

    def put_example(self, row):
        rows = self.rows
        known = any(each.key == row.key for each in rows)
        self._state.prompts = (
            tuple(row if each.key == row.key else each for each in rows) if known else (*rows, row)
        )

    def remove(self, numbers):
        gone = set(numbers)
        self._state.prompts = tuple(r for n, r in enumerate(self.rows) if n not in gone)


@pytest.fixture
def view(state):
    controls = {
        "example_sign": Control("+"),
        "example_words": Control(""),
        "example_weight": Control(0.5),
        "example_info": Control(""),
        "prompts": SimpleNamespace(model=Rows(state)),
    }
    return SimpleNamespace(controls=controls)


@pytest.fixture
def run(state, viewer_model, session, immediate):
    return RunController(state, viewer_model, session)


@pytest.fixture
def section(state, viewer_model, view, immediate, monkeypatch):
    monkeypatch.setattr(example_section, "Job", immediate)
    monkeypatch.setattr(
        example_section, "QTimer", SimpleNamespace(singleShot=lambda _ms, slot: slot())
    )
    section = ExampleSection(state, viewer_model, view)
    yield section
    section.close()
