"""The first minutes in the dock: what to do, prompts that fit, answers, and a tour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_clip_heatmap._napari.controllers.help.first_steps import (
    BRIGHT_PROMPTS,
    DARK_PROMPTS,
    FirstPrompts,
    fitting_prompts,
)
from napari_clip_heatmap._napari.state import DockState, PromptRow
from napari_clip_heatmap._napari.views.help.help_topics import SITE, TOPICS, TOUR
from napari_clip_heatmap.scenes import draw

DOCS = Path(__file__).parents[2] / "docs"
SMEAR = draw(26, (128, 128), modality="smear", classes=("red blood cells",)).image
CELLS = draw(25, (128, 128), modality="fluorescence", classes=("nuclei",)).image


@pytest.mark.parametrize(
    ("data", "options", "prompts"),
    [
        (SMEAR, {}, BRIGHT_PROMPTS),
        (CELLS, {}, DARK_PROMPTS),
        (CELLS[..., 0].astype(np.uint16), {"contrast_limits": (0, 300)}, DARK_PROMPTS),
        (CELLS[..., 0], {"colormap": "gray_r"}, BRIGHT_PROMPTS),
        (np.zeros((8, 8), np.uint8), {}, DARK_PROMPTS),
    ],
)
def test_prompts_fit_what_the_viewer_shows(data, options, prompts):
    assert fitting_prompts(Image(data, **options)) == prompts


def test_only_an_untouched_table_is_filled():
    state, filled = DockState(), []
    state.prompts = tuple(map(PromptRow, DARK_PROMPTS))
    controller = FirstPrompts(state, filled.append)
    state.image = Image(CELLS)
    assert filled == []
    state.image = Image(SMEAR)
    assert filled == [BRIGHT_PROMPTS]
    state.prompts = (PromptRow("my own"),)
    state.image = Image(SMEAR)
    assert filled == [BRIGHT_PROMPTS]
    controller.close()


def test_the_dock_says_what_to_do_next(viewer, widget):
    assert "Open an image" in widget["notes"].value
    viewer.add_image(CELLS, name="cells")
    assert "press Run" in widget["notes"].value


def test_answers_open_beside_the_work(widget, qtbot):
    for topic, action in zip(TOPICS, widget.help_menu.actions(), strict=False):
        assert action.text() == topic.question
        action.trigger()
        box = widget.help_menu.parentWidget().findChildren(QMessageBox)[-1]
        assert topic.address in box.text()
        assert not box.isModal()
        box.close()
        qtbot.wait(1)


def test_answers_lead_to_pages_that_are_there():
    for topic in TOPICS:
        page, _, anchor = topic.address.removeprefix(SITE).partition("#")
        text = (DOCS / f"{page.strip('/')}.md").read_text(encoding="utf-8")
        headings = [line.lstrip("# ").lower() for line in text.splitlines() if line[:1] == "#"]
        assert not anchor or anchor.strip("/").replace("-", " ") in headings


def test_the_tour_points_at_each_control(viewer, widget, qtbot):
    viewer.add_image(CELLS, name="cells")
    bubble = widget.help_menu.start_tour()
    seen = []
    while widget.help_menu.bubble is not None:
        assert not bubble.isHidden()
        window = bubble.parentWidget()
        assert window.rect().contains(bubble.geometry())
        seen.append(bubble.text.text())
        qtbot.mouseClick(bubble.next, Qt.MouseButton.LeftButton)
    assert seen == [step.text for step in TOUR]


def test_the_tour_can_be_skipped(widget, qtbot):
    bubble = widget.help_menu.start_tour()
    qtbot.keyClick(bubble.next, Qt.Key.Key_Escape)
    assert widget.help_menu.bubble is None
    widget.help_menu.start_tour()
    again = widget.help_menu.start_tour()
    qtbot.mouseClick(again.skip, Qt.MouseButton.LeftButton)
    assert widget.help_menu.bubble is None
