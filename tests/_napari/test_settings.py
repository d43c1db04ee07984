"""Values of earlier versions, as they lie in napari's file."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit

from napari_clip_heatmap._napari import settings
from napari_clip_heatmap._napari.settings import PERSISTED, keep, saved_under_former_names


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A settings file, and what napari makes of it."""
    path = tmp_path / "napari-clip-heatmap.yaml"
    saved = SimpleNamespace(**{spec.name: "" for spec in PERSISTED})
    saved.transparent_low = saved.color_bar = False
    saved.ranking_list = saved.scale = "own"
    whole = SimpleNamespace(widget=saved, config_path=path)
    monkeypatch.setattr(settings, "_plugin_settings", lambda: whole)
    monkeypatch.setattr(settings, "section", lambda: saved)
    return path


@pytest.fixture
def parts(qapp):
    made = {spec.name: LineEdit(name=spec.name) for spec in PERSISTED}
    for name in ("transparent_low", "color_bar"):
        made[name] = CheckBox(name=name)
    for name in ("ranking_list", "scale"):
        made[name] = ComboBox(name=name, choices=("own", "organelles"), value="own")
    return Container(widgets=[*made.values()])


def test_values_under_former_names_are_read(file, parts):
    file.write_text("widget:\n  fade: true\n  colour_bar: true\n  words: organelles\n")
    keep(parts)
    assert parts["transparent_low"].value
    assert parts["color_bar"].value
    assert parts["ranking_list"].value == settings.section().ranking_list == "organelles"


def test_the_name_of_today_counts_more(file, parts):
    file.write_text("widget:\n  fade: true\n  transparent_low: false\n")
    keep(parts)
    assert not parts["transparent_low"].value


@pytest.mark.parametrize("text", ["", "widget: 1", "- 1", "widget: [", "other:\n  fade: true\n"])
def test_a_file_of_another_kind_says_nothing(file, text):
    file.write_text(text)
    assert saved_under_former_names() == {}


def test_without_a_file_there_is_nothing(file):
    assert saved_under_former_names() == {}


def test_a_value_that_is_no_choice_is_replaced_by_the_default(file, parts):
    file.write_text("widget:\n  words: gone\n")
    keep(parts)
    assert parts["ranking_list"].value == settings.section().ranking_list == "own"


def test_changes_are_saved(file, parts):
    keep(parts)
    parts["scale"].value = "organelles"
    assert settings.section().scale == "organelles"
