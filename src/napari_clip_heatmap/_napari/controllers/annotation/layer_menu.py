"""What a right click on a heatmap in napari's list of layers offers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from app_model import Application
from app_model.expressions import parse_expression
from app_model.types import Action, MenuRule
from napari.utils.notifications import show_error

from napari_clip_heatmap._napari.controllers.layers import is_own, row_key_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ENTRIES", "LayerMenu", "make_of_selected"]

MENU = "napari/layers/context"

ENTRIES = (
    ("labels", "Heatmap to Labels"),
    ("points", "Heatmap to Points"),
    ("outlines", "Heatmap to Shapes"),
)
"""What each entry requests, and its text."""


_OPEN: list[LayerMenu] = []
"""Menus of the docks that are open, the latest last.

napari's menus belong to the whole application, and entries cannot be taken away while a window is
being closed; so they are added once, and find the dock that they are for when they are chosen.
"""


class LayerMenu:
    """Lets entries of napari's layer list make layers, while the dock is open.

    Parameters
    ----------
    viewer : ViewerModel
    choose : callable(key)
        Chooses the prompt of a row.
    make : callable(request)
        Makes a layer of the chosen prompt's objects.
    app : app_model.Application, optional
        Whose menu it is; None where there is no window.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        choose: Callable[[str], None],
        make: Callable[[str], None],
        app: Application | None,
    ) -> None:
        self._viewer, self._choose, self._make = viewer, choose, make
        _OPEN.append(self)
        if app is not None and f"{_ID}.{ENTRIES[0][0]}" not in app.commands:
            app.register_actions([_action(*entry) for entry in ENTRIES])

    def close(self) -> None:
        """Let the entries find this dock no more."""
        if self in _OPEN:
            _OPEN.remove(self)

    def make(self, request: str) -> bool:
        """Make a layer of the heatmap that is selected; return False where none is."""
        layer = self._viewer.layers.selection.active
        if layer is None or not is_own(layer):
            return False
        self._choose(row_key_of(layer))
        self._make(request)
        return True


def make_of_selected(request: str) -> None:
    """Make a layer of the selected heatmap, in the dock that it belongs to; or say why not."""
    if not any(menu.make(request) for menu in reversed(_OPEN)):
        show_error(
            "the selected layer is no heatmap of an open CLIP Heatmap dock; open the dock, and "
            "right-click one of its heatmaps"
        )


def _action(request: str, title: str) -> Action[[], None]:
    return Action(
        id=f"{_ID}.{request}",
        title=title,
        callback=partial(make_of_selected, request),
        menus=[MenuRule(id=MENU, group="9_clip_heatmap", when=_ONE_IMAGE)],
    )


_ONE_IMAGE = parse_expression("num_selected_layers == 1 and active_layer_type == 'image'")

_ID = "napari-clip-heatmap.heatmap_to"
