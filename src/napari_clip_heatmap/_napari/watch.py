"""Notice what happens to a layer while it is being worked on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["Watch"]

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units")


class Watch:
    """Connected to layers from its making until `stop`.

    Parameters
    ----------
    viewer : ViewerModel
    layers : sequence of Image
        Those that are read; the first is the one whose place counts.
    lost : callable(str)
        Called with the reason, once, when a layer was removed or its data replaced: what is still
        to be read is no longer what was asked about.
    moved : callable
        Called when the first layer has been moved, scaled or given a unit.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        layers: tuple[Image, ...],
        lost: Callable[[str], None],
        moved: Callable[[], None],
    ) -> None:
        self._viewer = viewer
        self._layers = layers
        self._lost = lost
        self._moved = moved
        self._lost_already = False
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in layers:
            layer.events.data.connect(self._on_data)
        for name in PLACE:
            getattr(layers[0].events, name).connect(self._on_moved)

    def stop(self) -> None:
        """Disconnect; nothing is called any more."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._layers:
            layer.events.data.disconnect(self._on_data)
        for name in PLACE:
            getattr(self._layers[0].events, name).disconnect(self._on_moved)

    def _on_removed(self, event: Any) -> None:
        if event.value in self._layers:
            self._tell(f"the layer '{event.value.name}' was removed meanwhile")

    def _on_data(self, event: Any) -> None:
        self._tell(f"the data of '{event.source.name}' was replaced meanwhile")

    def _on_moved(self, _: Any) -> None:
        self._moved()

    def _tell(self, reason: str) -> None:
        if not self._lost_already:
            self._lost_already = True
            self._lost(reason)
