"""The controls of the dock widget, from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.views.annotation.annotate_controls import ANNOTATE_CONTROLS
from napari_clip_heatmap._napari.views.examples.example_controls import EXAMPLE_CONTROLS
from napari_clip_heatmap._napari.views.form_controls import ACTION_CONTROLS, FORM_CONTROLS
from napari_clip_heatmap._napari.views.section_controls import SECTION_CONTROLS
from napari_clip_heatmap._napari.views.why.why_controls import WHY_CONTROLS

if TYPE_CHECKING:
    from magicgui.widgets import Widget

    from napari_clip_heatmap._napari.views.control_spec import ControlSources, ControlSpec

__all__ = ["CONTROLS", "make_controls"]

CONTROLS: tuple[ControlSpec, ...] = (
    *FORM_CONTROLS,
    *SECTION_CONTROLS,
    *WHY_CONTROLS,
    *EXAMPLE_CONTROLS,
    *ANNOTATE_CONTROLS,
    *ACTION_CONTROLS,
)
"""All controls. A new one is a spec in one of these tables, and a controller that reads it."""


def make_controls(sources: ControlSources) -> list[Widget]:
    """Return new controls, in the order in which Tab goes through them."""
    return [spec.widget(sources) for spec in CONTROLS]
