from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari import settings
from napari_clip_heatmap._napari.demo import DEMO_SETTINGS, begin_demo
from napari_clip_heatmap._napari.state import RunStatus
from napari_clip_heatmap.scenes import SAMPLE_PROMPTS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from pytestqt.qtbot import QtBot

SAVED = settings.section


def test_the_demo_shows_its_heatmaps(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever model and score the user chose last."""
    monkeypatch.setattr(settings, "section", SAVED)
    viewer = make_napari_viewer()
    saved = SAVED()
    saved.model, saved.score = "local-dir:/somewhere/else", "contrast"
    widget = begin_demo(viewer)
    state = widget.state
    qtbot.waitUntil(
        lambda: state.result is not None and state.status is RunStatus.IDLE, timeout=60_000
    )
    names = ["microscopy scene", *reversed(SAMPLE_PROMPTS)]  # from the bottom up
    assert [layer.name for layer in viewer.layers] == names
    assert all(layer.colormap.name.startswith("jet") for layer in viewer.layers[1:])
    assert {name: widget[name].value for name in DEMO_SETTINGS} == DEMO_SETTINGS


OPEN_AT_THE_END = """
import time
import napari
from qtpy.QtWidgets import QApplication
from napari_clip_heatmap._napari.controllers.live_update import text_overlay_of
from napari_clip_heatmap._napari.demo import begin_demo

viewer = napari.Viewer()
dock = begin_demo(viewer)
beats = 0
while beats < 60:  # after all is shown, so that it is drawn, too
    QApplication.processEvents()
    time.sleep(0.01)
    beats += not dock.state.busy and text_overlay_of(viewer).visible
"""


def test_python_ends_with_the_window_open(qapp: Any) -> None:
    """The text on the canvas must not be taken away once the canvas is gone: Qt would abort."""
    ended = subprocess.run(
        [sys.executable, "-c", OPEN_AT_THE_END],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
