"""Drop-down choices that magicgui does not have: free text beside known names, and our images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image

from napari_clip_heatmap._napari.layers import is_heatmap

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["EditableChoice", "ImageChoice"]


class EditableChoice(ComboBox):
    """A drop-down that also takes any text that is typed; its value is the text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.native.setEditable(True)
        # What is typed is a value, not a new entry of the list.
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
        """Reset the known names; the text stays."""
        text = self.value
        super().reset_choices()
        if text:
            self.value = text

    def _show_beginning(self, *_: Any) -> None:
        """Scroll a name that is too long to its beginning; Qt shows its end."""
        if self.native.isEditable():  # not yet while magicgui builds it
            self.native.lineEdit().setCursorPosition(0)


class ImageChoice(ComboBox):
    """The viewer's image layers, our heatmaps left out; the chosen one stays when renamed.

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
        """Choose a layer that has become active, if it is an image of the user's."""
        if not isinstance(layer, Image) or is_heatmap(layer):
            return
        if layer not in self.choices:  # active before its insertion was announced
            self.reset_choices()
        if layer in self.choices:
            self.value = layer

    def reset_choices(self, *_: Any) -> None:
        """Read the layers again; magicgui keeps the choice by name, this keeps the layer."""
        chosen = self.value
        super().reset_choices()
        if chosen is not None and chosen in self.choices and chosen is not self.value:
            self.value = chosen

    def _images(self, _: Any = None) -> list[tuple[str, Image]]:
        viewer = self._viewer()
        layers = [] if viewer is None else viewer.layers
        return [
            (layer.name, layer)
            for layer in layers
            if isinstance(layer, Image) and not is_heatmap(layer)
        ]
