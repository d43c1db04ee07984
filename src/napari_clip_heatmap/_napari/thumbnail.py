"""A small picture in the dock widget: what the model is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Label
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HEIGHT", "Thumbnail"]

HEIGHT = 128
"""Of the picture, in screen pixels; its width is what the dock leaves, or what its shape gives."""

WIDTH = 260


class Thumbnail(Label):
    """A label that shows a picture, or a word on why there is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(value="", **options)
        self.pixels: NDArray[np.uint8] | None = None
        self.native.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.native.setMinimumHeight(HEIGHT)

    def show_picture(self, rgb: NDArray[np.float32]) -> None:
        """Show colours in 0..1, float32 (y, x, 3), as large as there is room, unsmoothed.

        Unsmoothed, so that the pixels are seen at which the model looks.
        """
        self.pixels = np.ascontiguousarray(np.rint(np.clip(rgb, 0, 1) * 255), np.uint8)
        height, width = self.pixels.shape[:2]
        image = QImage(self.pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self.native.setPixmap(
            QPixmap.fromImage(image).scaled(WIDTH, HEIGHT, Qt.AspectRatioMode.KeepAspectRatio)
        )

    def show_words(self, words: str) -> None:
        """Show words in its place."""
        self.pixels = None
        self.value = words
