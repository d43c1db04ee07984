from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_clip_heatmap._napari.views.collection.encoded_images_view import EncodedImagesView


@pytest.fixture
def view(qtbot: Any, tmp_path: Path) -> EncodedImagesView:
    view = EncodedImagesView()
    qtbot.addWidget(view)
    Image.fromarray(np.full((40, 80, 3), (255, 0, 0), np.uint8)).save(tmp_path / "red.png")
    for name in ("a", "b", "c"):
        view.add(name, tmp_path / "red.png" if name == "a" else None)
    return view


def test_images_move_with_their_pictures_and_numbers(view: EncodedImagesView) -> None:
    opened: list[int] = []
    view.opened.connect(opened.append)
    view.show_order([2, 0, 1], ["a 0.1", "b 0.0", "c 0.3"])
    assert view.shown() == ["c 0.3", "a 0.1", "b 0.0"]
    for row in range(3):
        view.pictures.itemClicked.emit(view.pictures.item(row))
    assert opened == [2, 0, 1]
    colors = [
        view.pictures.item(row).icon().pixmap(96, 96).toImage().pixelColor(48, 24).red()
        for row in range(3)
    ]
    assert colors[1] > 250 > max(colors[0], colors[2])


def test_typing_is_announced(view: EncodedImagesView, qtbot: Any) -> None:
    with qtbot.waitSignal(view.words_changed) as signal:
        view.words.setText("mitosis")
    assert signal.args == ["mitosis"]
    view.clear()
    assert view.shown() == []
