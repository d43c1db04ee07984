"""Qt widgets as controls of the dock, which finds all its parts by name."""

from __future__ import annotations

from typing import Any, ClassVar

from magicgui.widgets import Container
from qtpy.QtWidgets import QWidget

from napari_clip_heatmap._napari.views.annotation.class_table import ClassTable
from napari_clip_heatmap._napari.views.annotation.gate_plot import GatePlot
from napari_clip_heatmap._napari.views.annotation.make_buttons import MakeButtons
from napari_clip_heatmap._napari.views.annotation.slice_plot import SlicePlot

__all__ = [
    "ClassTableControl",
    "GateControl",
    "MakeControl",
    "NativeControl",
    "SlicePlotControl",
]


class NativeControl(Container[Any]):
    """A control that holds one Qt widget, `view`."""

    kind: ClassVar[type[QWidget]]

    def __init__(self, **options: Any) -> None:
        super().__init__(widgets=(), labels=False, **options)
        self.view = self.kind()
        self.view.setToolTip(self.tooltip)
        layout = self.native.layout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)


class MakeControl(NativeControl):
    """Buttons that make layers and files of objects."""

    kind = MakeButtons


class SlicePlotControl(NativeControl):
    """Count and area per slice."""

    kind = SlicePlot


class ClassTableControl(NativeControl):
    """Objects and their names."""

    kind = ClassTable


class GateControl(NativeControl):
    """Scores of objects, with a gate."""

    kind = GatePlot
