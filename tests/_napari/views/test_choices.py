from __future__ import annotations

import pytest
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.views.choices import EditableChoice, PromptList

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
    reported = []
    choice.changed.connect(reported.append)
    choice.native.setEditText(" demo2 ")
    assert choice.value == "demo2"
    assert reported


pytestmark = pytest.mark.usefixtures("qapp")


def test_its_value_is_its_lines():
    prompts = PromptList(value=["nuclei", "actin filaments"])
    assert prompts.value == ["nuclei", "actin filaments"]
    prompts.value = "  one \n\n two\r\nthree\n"
    assert prompts.value == ["one", "two", "three"]


@pytest.mark.parametrize("text", ["<b>bold</b>", "🔬 cells", "größer & <10 µm"])
def test_takes_any_text_as_it_is(text):
    assert PromptList(value=[text]).value == [text]


def test_many_lines_can_be_pasted_and_undone():
    prompts = PromptList(value=["nuclei"])
    QApplication.clipboard().setText("\nred cells\nwhite cells\n")
    prompts.native.moveCursor(prompts.native.textCursor().MoveOperation.End)
    prompts.native.paste()
    assert prompts.value == ["nuclei", "red cells", "white cells"]
    prompts.native.undo()
    assert prompts.value == ["nuclei"]


def test_tells_of_changes_as_a_list():
    prompts = PromptList(value=["nuclei"])
    reported = []
    prompts.changed.connect(reported.append)
    prompts.value = ["a", "b"]
    assert reported == [["a", "b"]]
