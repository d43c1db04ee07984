"""The table of controls, and what else is read from it: the layout, settings, the manifest."""

from __future__ import annotations

import pytest
from npe2 import PluginManifest

import napari_clip_heatmap
from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.settings import PERSISTED
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSources
from napari_clip_heatmap._napari.views.controls import CONTROLS, make_controls

CONTRACT = ("image", "prompts", "model", "device", "score", "run")


@pytest.fixture
def controls(qapp):
    sources = ControlSources(lambda: None, lambda: None, lambda: ("auto",), LayerStyle)
    return {control.name: control for control in make_controls(sources)}


@pytest.fixture
def declared():
    manifest = PluginManifest.from_file(f"{next(iter(napari_clip_heatmap.__path__))}/napari.yaml")
    return manifest.contributions.configurations["widget"].properties


def test_each_control_is_made_by_its_own_spec(controls):
    assert [*controls] == [spec.name for spec in CONTROLS]
    assert {*CONTRACT} <= {*controls}
    for spec in CONTROLS:
        assert controls[spec.name].tooltip == spec.tooltip != ""


def test_names_of_today_and_of_earlier_versions_are_unique():
    names = [spec.name for spec in CONTROLS]
    names += [spec.former_name for spec in CONTROLS if spec.former_name]
    assert len(names) == len({*names})
    assert {spec.right_of for spec in CONTROLS} - {""} <= {*names}


def test_every_section_has_a_control_and_tabs_have_a_title():
    assert {spec.section for spec in CONTROLS} == {*ControlSection}
    for section in ControlSection:
        assert not section.is_tab or section.value[0].isupper()


def test_what_is_persisted_is_declared_in_the_manifest_with_its_default(controls, declared):
    beside = {"recent", "tab"}  # what no control of its own has
    assert {*declared} == {spec.name for spec in PERSISTED} | beside
    for name, setting in declared.items():
        if name in beside:
            continue
        if name == "prompts":  # those to begin with, as long as there are no others
            assert setting.default == ""
            continue
        assert setting.default == controls[name].value
        if setting.enum:
            assert [*setting.enum] == [*controls[name].choices]
