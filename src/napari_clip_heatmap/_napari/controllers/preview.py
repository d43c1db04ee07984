"""Keep the thumbnail and the line on resolution true to what is asked and seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_clip_heatmap._napari.controllers.background import LatestTask
from napari_clip_heatmap._napari.controllers.read_controls import input_layers, read_view
from napari_clip_heatmap._napari.controllers.status import resolution_text
from napari_clip_heatmap._napari.inputs.layer_channels import channels_of
from napari_clip_heatmap._napari.inputs.layer_planes import shown_index
from napari_clip_heatmap._napari.inputs.layer_regions import (
    Rectangle,
    camera_of,
    image_shape,
    viewport,
)
from napari_clip_heatmap._napari.inputs.pixel_size import (
    ModelSizes,
    read_resolution,
    sizes_of_model,
)
from napari_clip_heatmap._napari.views.choices import HEIGHT
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import choose_downsample
from napari_clip_heatmap.imaging.sketch import sketch

if TYPE_CHECKING:
    from magicgui.widgets import Container
    from napari.components import ViewerModel
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.view import View

__all__ = ["PreviewController", "PreviewRequest", "render_preview"]

LARGEST = 2 * HEIGHT
"""Pixels per side of a thumbnail: as many as a screen of twice the density shows."""

DRAWN = (
    *("contrast_limits", "gamma", "colormap", "opacity", "blending", "projection_mode"),
    *("data", "scale", "units"),
)
"""What of an image changes what the model sees, or how large it is."""


@dataclass(frozen=True, eq=False)
class PreviewRequest:
    """One look at the image as the model sees it.

    Parameters
    ----------
    channels : tuple of Channel
    view : View
    part : (y, y, x, x)
        Image pixels that are seen.
    shape : (y, x)
        Of the image.
    downsample : float or "auto"
    sizes : callable() -> ModelSizes or None
        Of the model; may take seconds.
    """

    channels: tuple[Channel, ...]
    view: View
    part: Rectangle
    shape: tuple[int, int]
    downsample: float | Literal["auto"]
    sizes: Callable[[], ModelSizes | None]


def render_preview(
    asked: PreviewRequest,
) -> tuple[NDArray[np.float32], ModelSizes | None, float | None]:
    """Return what the model sees, the model's sizes, and image pixels per pixel it sees.

    The pixels are those at which the model looks, or coarser ones where these are too many to be
    shown, float32 (y, x, 3). The last two are None where only loading the model would tell.
    """
    sizes = asked.sizes()
    factor: float | None = None
    if sizes is not None:
        factor = choose_downsample(asked.shape, sizes.tile, asked.downsample)
    elif asked.downsample != "auto":
        factor = asked.downsample
    y0, y1, x0, x1 = asked.part
    coarsest = max(y1 - y0, x1 - x0) / LARGEST
    step = max(factor or 1.0, coarsest)
    shape = max(1, round((y1 - y0) / step)), max(1, round((x1 - x0) / step))
    appearance = asked.view.appearance(asked.channels)
    return sketch(asked.channels, appearance, shape, ((y0, x0), (y1, x1))), sizes, factor


class PreviewController:
    """Looks again whenever something has changed that the model would see.

    Parameters
    ----------
    parts : Container
        The dock widget.
    viewer : ViewerModel or None
    """

    def __init__(self, parts: Container[Any], viewer: ViewerModel | None) -> None:
        self._parts, self._viewer = parts, viewer
        self._followed: tuple[Image, ...] = ()
        self._latest = LatestTask(self._on_seen, self._on_reason)
        for name in ("image", "channels", "view", "invert", "resolution", "model"):
            parts[name].changed.connect(self.update)
        for emitter in self._emitters():
            emitter.connect(self.update)
        self.update()

    def update(self, *_: Any) -> None:
        """Render the preview in a thread, if it can be seen."""
        image = self._parts["image"].value
        layers = () if image is None else (image, *self._parts["channels"].value)
        if layers != self._followed:
            self._follow(*layers)
        if self._parts["preview"].native.isVisible():
            self._latest.submit(lambda: partial(render_preview, self._asked()))

    def close(self) -> None:
        """Let go of the viewer and the layer."""
        self._latest.close()
        self._follow()
        for emitter in self._emitters():
            emitter.disconnect(self.update)

    def _emitters(self) -> tuple[Any, ...]:
        """Return what tells that the view has changed."""
        viewer: Any = self._viewer
        if viewer is None:
            return ()
        camera = camera_of(viewer)
        dims = viewer.dims.events
        sliced = dims.point, dims.margin_left, dims.margin_right
        return camera.events.center, camera.events.zoom, *sliced, viewer.layers.events.reordered

    def _asked(self) -> PreviewRequest:
        layers = input_layers(self._parts, self._viewer)
        viewer: Any = self._viewer
        image, name = layers[0], self._parts["model"].value
        shape = image_shape(image)
        try:
            part = viewport(image, viewer)
        except ImageError:  # turned, or in 3D: then all of it
            part = (0, shape[0], 0, shape[1])
        return PreviewRequest(
            channels=channels_of(layers, shown_index(image, viewer.dims.point), viewer),
            view=read_view(self._parts),
            part=part,
            shape=shape,
            downsample=read_resolution(
                self._parts["resolution"].value, image.scale[-2:], image.units[-2:]
            ),
            sizes=lambda: sizes_of_model(name),
        )

    def _follow(self, *layers: Image) -> None:
        """Listen to the layers that are looked at, and no longer to those before."""
        for name in DRAWN:
            for layer in self._followed:
                getattr(layer.events, name).disconnect(self.update)
            for layer in layers:
                getattr(layer.events, name).connect(self.update)
        self._followed = layers

    def _on_seen(self, seen: tuple[NDArray[np.float32], ModelSizes | None, float | None]) -> None:
        rgb, sizes, factor = seen
        self._parts["preview"].show_picture(rgb)
        image = self._parts["image"].value
        if image is None:
            return
        self._parts["resolution_info"].value = (
            "How fine the map will be is known once the model is loaded"
            if sizes is None or factor is None
            else resolution_text(sizes, factor, image.scale[-2:], image.units[-2:])
        )

    def _on_reason(self, reason: str) -> None:
        self._parts["preview"].show_words("")
        self._parts["resolution_info"].value = reason
