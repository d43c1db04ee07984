"""Controls that magicgui does not have: free text with suggestions, layers, a thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Label, RadioButtons, Select, TextEdit
from napari.layers import Image, Labels, Shapes
from psygnal import Signal
from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_clip_heatmap._napari.inputs.layer_channels import fits_image
from napari_clip_heatmap._napari.inputs.layer_planes import is_heatmap
from napari_clip_heatmap.prompting.prompt_set import shipped_sets

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from numpy.typing import NDArray

__all__ = [
    "ALL_SETS",
    "AS_SAID",
    "HEIGHT",
    "PROMPTS_ONLY",
    "RANKING_LISTS",
    "VIEWPORT",
    "WHOLE",
    "ChannelChoice",
    "EditableChoice",
    "FixedButtons",
    "ImageChoice",
    "KeptChoice",
    "PromptList",
    "Thumbnail",
    "WhereChoice",
]


VISIBLE_CHANNELS = 3
"""Rows of the channel list that are visible without scrolling."""

WHOLE, VIEWPORT = "whole image", "what the view shows"

AS_SAID = "as its files say"

PROMPTS_ONLY, ALL_SETS = "the prompts", "all shipped sets"

RANKING_LISTS = (PROMPTS_ONLY, *shipped_sets(), ALL_SETS)
"""What a click ranks: the prompts alone, or a list of words with them."""


class EditableChoice(ComboBox):
    """A drop-down that also takes typed text; its value is the text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.native.setEditable(True)
        # Typed text is a value, not a new entry of the list.
        self.native.setInsertPolicy(self.native.InsertPolicy.NoInsert)
        self.native.editTextChanged.connect(self._on_value_change)
        self.native.activated.connect(self._show_beginning)

    @property
    def value(self) -> str:
        """The text, without the spaces around it."""
        return str(self.native.currentText()).strip()

    @value.setter
    def value(self, value: str) -> None:
        self.native.setCurrentText(value)
        self._show_beginning()

    def reset_choices(self, *_: Any) -> None:
        """Reset the suggestions; the text stays."""
        text = self.value
        super().reset_choices()
        if text:
            self.value = text

    def _show_beginning(self, *_: Any) -> None:
        """Show the beginning of a name that is too long; Qt shows its end."""
        if self.native.isEditable():  # not yet while magicgui builds it
            self.native.lineEdit().setCursorPosition(0)


class FixedButtons(RadioButtons):
    """Radio buttons that stay the same ones.

    napari lets all controls read their choices again with every layer that comes or goes, for which
    magicgui makes new buttons: the keyboard would be lost, and nothing drawn while maps come.
    """

    def reset_choices(self, *_: Any) -> None:
        """Make the buttons, the first time."""
        if not self.choices:
            super().reset_choices()


class KeptChoice(ComboBox):
    """A choice of a layer that survives renaming; magicgui remembers the name only."""

    def reset_choices(self, *_: Any) -> None:
        """Read the layers again."""
        chosen = self.value
        super().reset_choices()
        if chosen is not None and chosen in self.choices and chosen is not self.value:
            self.value = chosen


class ImageChoice(KeptChoice):
    """The viewer's image layers, without our heatmaps.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None while there is none.
    **options
        As magicgui's widgets take them.
    """

    def __init__(self, viewer: Callable[[], ViewerModel | None], **options: Any) -> None:
        self._viewer = viewer
        super().__init__(choices=self._images, **options)

    def follow(self, layer: Layer | None) -> None:
        """Choose a layer that has become active, unless it is a heatmap or no image."""
        if not isinstance(layer, Image) or is_heatmap(layer):
            return
        if layer not in self.choices:  # active before its insertion was announced
            self.reset_choices()
        if layer in self.choices:
            self.value = layer

    def _images(self, _: Any = None) -> list[tuple[str, Image]]:
        return [(layer.name, layer) for layer in _own(self._viewer(), Image)]


class ChannelChoice(Select):
    """More channels to show to the model with the image: layers that lie exactly on it.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None while there is none.
    image : callable
        Returns the chosen image layer, or None.
    **options
        As magicgui's widgets take them.

    Signals
    -------
    offered : bool
        The layers were read again: whether there is any to choose.
    """

    offered = Signal(bool)

    def __init__(
        self,
        viewer: Callable[[], ViewerModel | None],
        image: Callable[[], Image | None],
        **options: Any,
    ) -> None:
        self._viewer, self._image = viewer, image
        super().__init__(choices=self._channels, **options)
        self.native.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        self.native.setItemDelegate(_TickDelegate(self.native))
        self._fit()

    def reset_choices(self, *_: Any) -> None:
        """Read the layers again; chosen ones stay chosen, also when renamed."""
        chosen = list(self.value or ())
        with self.changed.blocked():  # in between, nothing is chosen
            super().reset_choices()
            kept = [layer for layer in chosen if layer in self.choices]
            self.value = kept
        self._fit()
        self.offered.emit(bool(self.choices))
        if kept != chosen:
            self.changed.emit(kept)

    def _fit(self) -> None:
        """Be as high as the channels that there are."""
        row = self.native.fontMetrics().lineSpacing() + 6
        rows = min(max(len(self.choices), 1), VISIBLE_CHANNELS)
        self.native.setFixedHeight(rows * row + 2 * self.native.frameWidth())

    def _channels(self, _: Any = None) -> list[tuple[str, Image]]:
        image = self._image()
        return [
            (layer.name, layer)
            for layer in _own(self._viewer(), Image)
            if image is not None and layer is not image and fits_image(layer, image)
        ]


class _TickDelegate(QStyledItemDelegate):  # type: ignore[misc] # qtpy ships no types
    """Draws what is chosen as ticked."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:  # noqa: N802
        super().initStyleOption(option, index)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        option.features |= QStyleOptionViewItem.ViewItemFeature.HasCheckIndicator
        option.checkState = Qt.CheckState.Checked if chosen else Qt.CheckState.Unchecked
        option.state &= ~QStyle.StateFlag.State_Selected


class WhereChoice(KeptChoice):
    """The whole image, the part in view, or the inside of a shapes or labels layer."""

    def __init__(self, viewer: Callable[[], ViewerModel | None], **options: Any) -> None:
        self._viewer = viewer
        super().__init__(choices=self._places, **options)

    def _places(self, _: Any = None) -> list[tuple[str, Any]]:
        inside = [(f"inside {layer.name}", layer) for layer in _own(self._viewer(), Shapes, Labels)]
        return [(WHOLE, WHOLE), (VIEWPORT, VIEWPORT), *inside]


def _own(viewer: ViewerModel | None, *kinds: type[Layer]) -> Iterable[Any]:
    """Yield layers of some kinds, without our heatmaps, from the bottom up."""
    for layer in () if viewer is None else viewer.layers:
        if isinstance(layer, kinds) and not is_heatmap(layer):
            yield layer


class PromptList(TextEdit):
    """A text box whose value is the list of its lines; blank lines are left out.

    Parameters
    ----------
    placeholder : str
        Shown while the box is empty.
    lines : int
        Least height, in lines of text.
    grows : bool
        Whether it fills the space that is left.
    **options
        As magicgui's widgets take them.
    """

    def __init__(
        self, *, placeholder: str = "", lines: int = 5, grows: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        box = self.native
        box.setAcceptRichText(False)  # of a pasted web page, only the words
        box.setTabChangesFocus(True)  # so that Tab leaves the box
        box.setPlaceholderText(placeholder)
        margins = 2 * (box.frameWidth() + int(box.document().documentMargin()))
        box.setMinimumHeight(lines * box.fontMetrics().lineSpacing() + margins)
        if not grows:
            box.setMaximumHeight(box.minimumHeight())

    def get_value(self) -> list[str]:  # type: ignore[override]
        """Return the lines that are not blank, without the spaces around them."""
        lines = self.native.toPlainText().splitlines()
        return [line.strip() for line in lines if line.strip()]

    def set_value(self, value: str | Iterable[str]) -> None:
        """Set a list of prompts, or a text with one per line."""
        # Not setText: it would read a prompt such as "<b>" as markup.
        self.native.setPlainText(value if isinstance(value, str) else "\n".join(value))

    def _on_value_change(self, value: Any = None) -> None:
        self.changed.emit(self.get_value())


HEIGHT = 96
"""Height of the thumbnail, in screen pixels."""

WIDTH = 260


class Thumbnail(Label):
    """A label that shows an image, or text on why there is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(value="", **options)
        self.pixels: NDArray[np.uint8] | None = None
        self.native.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.native.setMinimumHeight(HEIGHT)

    def show_picture(self, rgb: NDArray[np.float32]) -> None:
        """Show colors in 0..1, float32 (y, x, 3), as large as possible.

        Not smoothed, so that the model's own pixels are visible.
        """
        self.pixels = np.ascontiguousarray(np.rint(np.clip(rgb, 0, 1) * 255), np.uint8)
        height, width = self.pixels.shape[:2]
        image = QImage(self.pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self.native.setPixmap(
            QPixmap.fromImage(image).scaled(WIDTH, HEIGHT, Qt.AspectRatioMode.KeepAspectRatio)
        )

    @property
    def seen(self) -> bool:
        """Whether it is on screen."""
        return bool(self.native.isVisible())

    def show_words(self, words: str) -> None:
        """Show text instead of an image."""
        self.pixels = None
        self.value = words
