"""The thumbnail of the model's input, and the line on resolution, kept up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_clip_heatmap._napari.controllers.background import Job
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
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import choose_downsample
from napari_clip_heatmap.imaging.source import sketch

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.controllers.background import Work
    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.view_protocols import PictureView, TextView
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.view import View

__all__ = ["Preview", "PreviewController", "PreviewRequest", "render_preview"]

DEBOUNCE_MS = 250
"""After a change, before the preview is rendered: nobody waits for each step of a zoom."""

LARGEST = 256
"""Pixels per side of a thumbnail, enough for a screen of twice the usual density."""

LAYER_EVENTS = (
    *("contrast_limits", "gamma", "colormap", "opacity", "blending", "projection_mode"),
    *("data", "scale", "units"),
)
"""What of an image changes what the model sees, or how large it is."""

CONTROLS = ("view", "invert", "resolution", "model")


@dataclass(frozen=True, eq=False)
class PreviewRequest:
    """What a preview is made from.

    Parameters
    ----------
    channels : tuple of Channel
    view : View
    part : (y, y, x, x)
        Image pixels in view.
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


@dataclass(frozen=True, eq=False)
class Preview:
    """The model's input as a small picture.

    Parameters
    ----------
    rgb : float32 (y, x, 3)
        0..1, at the model's resolution, or coarser where that has too many pixels to show.
    sizes : ModelSizes, optional
        None where only loading the model would tell.
    downsample : float, optional
        Image pixels per pixel of the model's input; None likewise.
    """

    rgb: NDArray[np.float32]
    sizes: ModelSizes | None
    downsample: float | None


def render_preview(request: PreviewRequest) -> Preview:
    """Render what the model sees of the part in view."""
    sizes = request.sizes()
    factor: float | None = None
    if sizes is not None:
        factor = choose_downsample(request.shape, sizes.tile, request.downsample)
    elif request.downsample != "auto":
        factor = request.downsample
    y0, y1, x0, x1 = request.part
    coarsest = max(y1 - y0, x1 - x0) / LARGEST
    step = max(factor or 1.0, coarsest)
    shape = max(1, round((y1 - y0) / step)), max(1, round((x1 - x0) / step))
    appearance = request.view.appearance(request.channels)
    rgb = sketch(request.channels, appearance, shape, ((y0, x0), (y1, x1)))
    return Preview(rgb, sizes, factor)


class PreviewController:
    """Renders the preview again when something changes that the model would see.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    thumbnail : PictureView
    resolution : TextView
        Shows how fine the heatmap will be.
    """

    def __init__(
        self, state: DockState, viewer: ViewerModel, thumbnail: PictureView, resolution: TextView
    ) -> None:
        self._state, self._viewer = state, viewer
        self._thumbnail, self._resolution = thumbnail, resolution
        self._followed: tuple[Image, ...] = ()
        self._controls: tuple[Any, ...] = ()
        self._job = Job(self._on_preview, self._on_error, debounce_ms=DEBOUNCE_MS)
        for emitter in self._emitters():
            emitter.connect(self.update)
        state.events.controls.connect(self._on_controls)
        self.update()

    def update(self, *_: Any) -> None:
        """Render the preview soon, if it can be seen."""
        image = self._state.image
        layers = () if image is None else (image, *self._state.channels)
        if layers != self._followed:
            self._follow(*layers)
        if self._thumbnail.seen:
            self._job.submit(self._prepare)

    def close(self) -> None:
        """Let go of the viewer and the layers."""
        self._job.close()
        self._follow()
        for emitter in self._emitters():
            emitter.disconnect(self.update)
        self._state.events.controls.disconnect(self._on_controls)

    def _emitters(self) -> tuple[Any, ...]:
        viewer, events = self._viewer, self._state.events
        camera = camera_of(viewer)
        return (
            camera.events.center,
            camera.events.zoom,
            viewer.dims.events.point,
            viewer.dims.events.margin_left,
            viewer.dims.events.margin_right,
            viewer.layers.events.reordered,
            events.image,
            events.channels,
        )

    def _on_controls(self) -> None:
        values = tuple(self._state.controls.get(name) for name in CONTROLS)
        if values != self._controls:
            self._controls = values
            self.update()

    def _prepare(self) -> Work:
        request = self._request()
        return lambda _stopped: render_preview(request)

    def _request(self) -> PreviewRequest:
        state, viewer = self._state, self._viewer
        layers = input_layers(state, viewer)
        image, model = layers[0], state.controls["model"]
        shape = image_shape(image)
        try:
            part = viewport(image, viewer)
        except ImageError:  # rotated, or in 3D: then all of it
            part = (0, shape[0], 0, shape[1])
        return PreviewRequest(
            channels=channels_of(layers, shown_index(image, viewer.dims.point), viewer),
            view=read_view(state),
            part=part,
            shape=shape,
            downsample=read_resolution(
                state.controls["resolution"], image.scale[-2:], image.units[-2:]
            ),
            sizes=partial(sizes_of_model, model),
        )

    def _follow(self, *layers: Image) -> None:
        """Listen to the layers that the model sees, and no longer to those before."""
        for name in LAYER_EVENTS:
            for layer in self._followed:
                getattr(layer.events, name).disconnect(self.update)
            for layer in layers:
                getattr(layer.events, name).connect(self.update)
        self._followed = layers

    def _on_preview(self, preview: Preview) -> None:
        self._thumbnail.show_picture(preview.rgb)
        image = self._state.image
        if image is None:
            return
        self._resolution.value = (
            "How fine the heatmap will be is known once the model is loaded"
            if preview.sizes is None or preview.downsample is None
            else resolution_text(
                preview.sizes, preview.downsample, image.scale[-2:], image.units[-2:]
            )
        )

    def _on_error(self, error: Exception) -> None:
        self._thumbnail.show_words("")
        self._resolution.value = error_message(error)
