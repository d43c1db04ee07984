"""What a spec says of a control, without any control of the dock."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from magicgui.widgets import ComboBox

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.views.control_spec import (
    ControlSection,
    ControlSources,
    ControlSpec,
)


def device_box(sources, *, name, tooltip):
    return ComboBox(choices=lambda _: sources.devices(), name=name, tooltip=tooltip)


SPEC = ControlSpec("device", ControlSection.FORM, device_box, "Where it runs.")


@pytest.mark.parametrize(("label", "title"), [(None, "Device"), ("On", "On"), ("", "")])
def test_the_label_is_the_name_unless_another_is_given(label, title):
    assert ControlSpec("device", ControlSection.FORM, device_box, "", label=label).title == title


def test_a_spec_makes_a_new_control_each_time(qapp):
    devices = ["cpu"]
    sources = ControlSources(lambda: None, lambda: None, lambda: tuple(devices), LayerStyle)
    first, second = SPEC.widget(sources), SPEC.widget(sources)
    assert first is not second
    assert (first.name, first.tooltip) == ("device", "Where it runs.")
    devices.append("cuda")
    first.reset_choices()
    assert first.choices == ("cpu", "cuda")


def test_a_spec_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        SPEC.name = "other"


def test_sections_that_open_lie_between_form_and_run():
    sections = [*ControlSection]
    tabs = [section for section in sections if section.is_tab]
    first = sections.index(tabs[0])
    assert sections[first : first + len(tabs)] == tabs
    assert sections[first - 1] is ControlSection.FORM
    assert sections[first + len(tabs)] is ControlSection.RUN
