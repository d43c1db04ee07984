from __future__ import annotations

import pytest

from napari_clip_heatmap._napari.views.choices import EditableChoice

pytestmark = pytest.mark.usefixtures("qapp")


def test_any_text_is_a_value_and_stays():
    choice = EditableChoice(value="demo", choices=("demo", "ViT-B-16/openai"))
    assert choice.value == "demo"
    for text in ("local-dir:/data/my model", "ViT-B-16/openai", "hf-hub:org/name"):
        choice.value = text
        assert choice.value == text
        choice.reset_choices()
        assert choice.value == text
    assert choice.choices == ("demo", "ViT-B-16/openai")


def test_typing_is_told():
    choice = EditableChoice(value="demo", choices=("demo",))
    told = []
    choice.changed.connect(told.append)
    choice.native.setEditText(" demo2 ")
    assert choice.value == "demo2"
    assert told
