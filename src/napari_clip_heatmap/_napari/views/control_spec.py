"""The description of a control of the dock widget, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from magicgui.widgets import Widget
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.colormaps import LayerStyle

__all__ = ["SECTION_HELP", "ControlSection", "ControlSources", "ControlSpec", "WidgetFactory"]


class ControlSection(Enum):
    """Parts of the dock widget, from top to bottom; the value is a tab's title, if it is one."""

    FORM = "form"
    VIEW = "View"
    REGION = "Where"
    STYLE = "Maps"
    CLICK = "Click"
    WHY = "Why here"
    EXAMPLES = "Examples"
    ANNOTATE = "Annotate"
    CLASSIFY = "Classify"
    LOADING = "Model"
    RUN = "run"
    LAYERS = "layers"
    STATUS = "status"
    NOTES = "notes"

    @property
    def is_tab(self) -> bool:
        """Whether the section is a tab, of which one is visible at a time."""
        return self in SECTION_HELP


SECTION_HELP = {
    ControlSection.VIEW: "What the model sees: colors, contrast and resolution",
    ControlSection.REGION: "Which part of the image, and which slices",
    ControlSection.STYLE: "How maps are drawn, and how they are compared",
    ControlSection.CLICK: "What a click on the image finds",
    ControlSection.WHY: "Which layers and heads of the model gave the map its value here",
    ControlSection.EXAMPLES: "Ask by clicking on places instead of writing words",
    ControlSection.ANNOTATE: "Turn maps into labels, points and shapes",
    ControlSection.CLASSIFY: "Name objects of a segmentation by words",
    ControlSection.LOADING: "How the model is loaded, and which sentences it reads",
}
"""What each tab is for, as its tooltip."""


@dataclass(frozen=True)
class ControlSources:
    """Where controls read their choices from, each time that they need them.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None while there is none.
    image : callable
        Returns the chosen image layer, or None.
    devices : callable
        Returns the devices known so far.
    style : callable
        Returns how maps become colors.
    """

    viewer: Callable[[], ViewerModel | None]
    image: Callable[[], Image | None]
    devices: Callable[[], tuple[str, ...]]
    style: Callable[[], LayerStyle]


class WidgetFactory(Protocol):
    """Makes a control; hands ``name`` and ``tooltip`` on to its magicgui widget."""

    def __call__(self, sources: ControlSources, /, *, name: str, tooltip: str) -> Widget: ...


@dataclass(frozen=True)
class ControlSpec:
    """One control of the dock widget.

    Parameters
    ----------
    name : str
        Name of the part, ``dock[name]``.
    section : ControlSection
    make : WidgetFactory
    tooltip : str
    label : str, optional
        In front of the control; by default the name, capitalized. Empty: the control takes the
        whole row.
    has_value : bool
        Whether its value is one of `DockState.controls`.
    persisted : bool
        Whether its value is there again at the next start. The manifest declares it too.
    former_name : str
        Under which earlier versions saved it.
    shrinks : bool
        Whether it may be narrower than its longest text.
    wraps : bool
        Whether it is a text that breaks into lines and can be copied.
    right_of : str
        Name of the control in whose row it stands, no wider than it needs to be.
    """

    name: str
    section: ControlSection
    make: WidgetFactory
    tooltip: str
    label: str | None = None
    has_value: bool = False
    persisted: bool = False
    former_name: str = ""
    shrinks: bool = False
    wraps: bool = False
    right_of: str = ""

    @property
    def title(self) -> str:
        """The text in front of the control; empty where there is none."""
        return self.name.capitalize() if self.label is None else self.label

    def widget(self, sources: ControlSources) -> Widget:
        """Return a new control."""
        return self.make(sources, name=self.name, tooltip=self.tooltip)
