from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.demo import begin_demo
from napari_clip_heatmap._napari.settings import section
from napari_clip_heatmap.scenes import SAMPLE_PROMPTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytestqt.qtbot import QtBot


def test_the_demo_shows_its_heatmaps(make_napari_viewer: Callable[..., Any], qtbot: QtBot) -> None:
    viewer = make_napari_viewer()
    saved = section()
    saved.model, saved.score = "hf-hub:somebody/something-large", "contrast"
    begin_demo(viewer)
    names = ["microscopy scene", *SAMPLE_PROMPTS]
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == names, timeout=60_000)
    assert all(layer.colormap.name.startswith("jet") for layer in viewer.layers[1:])
