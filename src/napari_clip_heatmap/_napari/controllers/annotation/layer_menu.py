"""What a right click on a heatmap in napari's list of layers offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app_model import Application
from app_model.expressions import parse_expression
from app_model.types import Action, MenuRule

from napari_clip_heatmap._napari.controllers.layers import is_own, row_key_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ENTRIES", "LayerMenu"]

MENU = "napari/layers/context"

ENTRIES = (
    ("labels", "Heatmap to Labels"),
    ("points", "Heatmap to Points"),
    ("outlines", "Heatmap to Shapes"),
)
"""What each entry requests, and its text."""


class LayerMenu:
    """Adds entries to the menu of napari's layer list while the dock is open.

    Parameters
    ----------
    viewer : ViewerModel
    choose : callable(key)
        Chooses the prompt of a row.
    make : callable(request)
        Makes a layer of the chosen prompt's objects.
    report : callable(message)
        Says why nothing was made.
    app : app_model.Application, optional
        Whose menu it is; None where there is no window.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        choose: Callable[[str], None],
        make: Callable[[str], None],
        report: Callable[[str], None],
        app: Application | None,
    ) -> None:
        self._viewer, self._choose, self._make = viewer, choose, make
        self._report = report
        self._dispose: Callable[[], None] = lambda: None
        # A second dock leaves the menu to the first.
        if app is not None and f"{_ID}.labels" not in app.commands:
            self._dispose = app.register_actions([self._action(*entry) for entry in ENTRIES])

    def close(self) -> None:
        """Take the entries away."""
        self._dispose()

    def make(self, request: str) -> None:
        """Make a layer of the heatmap that is selected in the layer list."""
        layer = self._viewer.layers.selection.active
        if layer is None or not is_own(layer):
            self._report("the selected layer is no heatmap of this dock; right-click one that is")
            return
        self._choose(row_key_of(layer))
        self._make(request)

    def _action(self, request: str, title: str) -> Action[[], None]:
        return Action(
            id=f"{_ID}.{request}",
            title=title,
            callback=lambda: self.make(request),
            menus=[MenuRule(id=MENU, group="9_clip_heatmap", when=_ONE_IMAGE)],
        )


_ONE_IMAGE = parse_expression("num_selected_layers == 1 and active_layer_type == 'image'")

_ID = "napari-clip-heatmap.heatmap_to"
