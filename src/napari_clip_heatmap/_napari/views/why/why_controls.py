"""Controls of the section Why here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_clip_heatmap._napari.inputs.layer_planes import is_heatmap
from napari_clip_heatmap._napari.views.annotation.native_control import NativeControl
from napari_clip_heatmap._napari.views.choices import KeptChoice
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSpec
from napari_clip_heatmap._napari.views.why.why_view import WhyView

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["CLICKED", "IMAGE", "WHY_CONTROLS", "WhyControl", "WhyPlaceChoice"]

CLICKED, IMAGE = "the place clicked", "the whole image"


class WhyControl(NativeControl):
    """The value, the grid and the texts."""

    kind = WhyView


class WhyPlaceChoice(KeptChoice):
    """The place that was clicked, the whole image, or the label that was clicked in a layer.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None while there is none.
    **options
        As magicgui's widgets take them.
    """

    def __init__(self, viewer: Callable[[], ViewerModel | None], **options: Any) -> None:
        self._viewer = viewer
        super().__init__(choices=self._places, **options)

    def _places(self, _: Any = None) -> list[tuple[str, Any]]:
        viewer = self._viewer()
        layers = () if viewer is None else viewer.layers
        labels = [
            (f"the label clicked in {layer.name}", layer)
            for layer in layers
            if isinstance(layer, Labels) and not is_heatmap(layer)
        ]
        return [(CLICKED, CLICKED), (IMAGE, IMAGE), *labels]


WHY_CONTROLS = (
    ControlSpec(
        "why_place",
        ControlSection.WHY,
        lambda sources, **given: WhyPlaceChoice(sources.viewer, **given),
        "Whose value is explained. Click on the image to choose a place or a label.",
        label="Explain",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "why_grid",
        ControlSection.WHY,
        lambda _, **given: WhyControl(**given),
        "Red heads add to the current prompt's value, blue ones take from it. Click a head, a "
        "layer's name or a head's number for its own map; Ctrl adds.",
        label="",
    ),
)
"""A grid of layers and heads for one value of the map."""
