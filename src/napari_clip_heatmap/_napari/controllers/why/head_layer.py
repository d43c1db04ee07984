"""The layer with the map of the selected heads: one, renewed as others are selected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap

from napari_clip_heatmap._napari.colormaps import signed_and_clear
from napari_clip_heatmap._napari.controllers.layers import BLENDING, changing
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, placement
from napari_clip_heatmap._napari.startup import collection_paused

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.colormaps import LayerStyle
    from napari_clip_heatmap._napari.job.explanation_work import HeadPicture

__all__ = ["HeadLayer"]

Limits = tuple[float, float]


class HeadLayer:
    """Shows one picture at a time, over the image.

    The layer belongs to the user as soon as it was renamed: the next picture is another layer's.

    Parameters
    ----------
    viewer : ViewerModel
    style : callable
        Returns how maps become colors.
    """

    def __init__(self, viewer: ViewerModel, style: Callable[[], LayerStyle]) -> None:
        self._viewer, self._style = viewer, style
        self._layer: Image | None = None
        self._name = ""

    @property
    def last(self) -> Image | None:
        """The layer that was shown last, whoever it belongs to by now."""
        return self._layer

    @property
    def layer(self) -> Image | None:
        """The layer, while it is there and ours."""
        layer = self._layer
        if layer is None or layer not in self._viewer.layers or layer.name != self._name:
            return None
        return layer

    def show(
        self,
        source: Image,
        index: tuple[int, ...],
        picture: HeadPicture,
        key: str,
        limits: Limits | None = None,
    ) -> Image:
        """Show a picture.

        Parameters
        ----------
        source : Image
            The image that it is of.
        index : tuple of int
            The plane of the image.
        picture : HeadPicture
        key : str
            Row of the prompt, whose colors a map without heads gets. A map of heads alone is blue
            where they speak against the prompt, red where for it, and clear near zero.
        limits : (float, float), optional
            Of the colors; by default as far to both sides of zero.
        """
        data = picture.pixels.reshape((1,) * len(index) + picture.pixels.shape)
        limits = limits or _both_sides(picture.pixels)
        colormap = self._style().colormap(key) if picture.maps.left_out else signed_and_clear()
        layer = self.layer
        with changing():
            if layer is not None and layer.data.shape == data.shape:
                layer.data = data
                layer.contrast_limits_range = layer.contrast_limits = limits
                layer.name = picture.name
                for name, value in _placed(source, index).items():
                    setattr(layer, name, value)
            else:
                self.remove()
                layer = self._made(source, index, picture, data, limits)
            layer.colormap = ensure_colormap(colormap)
        self._layer, self._name = layer, layer.name
        layer.metadata = {METADATA_KEY: _record(source, picture)}
        return layer

    def remove(self) -> None:
        """Remove the layer, if it is there and ours."""
        layer = self.layer
        if layer is not None:
            with collection_paused(), changing():
                self._viewer.layers.remove(layer)
        self._layer = None

    def _made(
        self,
        source: Image,
        index: tuple[int, ...],
        picture: HeadPicture,
        data: NDArray[np.float32],
        limits: Limits,
    ) -> Image:
        """Add a layer on top; the layer that is active stays so."""
        layer = Image(
            data,
            name=picture.name,
            contrast_limits=limits,
            opacity=self._style().opacity,
            blending=BLENDING,
            projection_mode="none",
            metadata={METADATA_KEY: _record(source, picture)},
            **_placed(source, index),
        )
        active = self._viewer.layers.selection.active
        self._viewer.add_layer(layer)
        if active is not None:
            self._viewer.layers.selection.active = active
        return layer


def _record(source: Image, picture: HeadPicture) -> dict[str, Any]:
    """Say of the layer what it is."""
    maps = picture.maps
    return {
        "heads_of": str(source.unique_id),
        "heads": list(maps.heads),
        "left_out": maps.left_out,
        "prompt": maps.prompts[0],
        "score": maps.score,
        "similarity": float(maps.similarity[0]),
    }


def _both_sides(pixels: NDArray[np.float32]) -> Limits:
    """Return limits that hold all values, as far to both sides of zero."""
    most = float(np.abs(pixels, where=np.isfinite(pixels), out=np.zeros_like(pixels)).max())
    most = max(most, 1e-6)
    return -most, most


def _placed(source: Image, index: tuple[int, ...]) -> dict[str, Any]:
    """Return the transform that lays one plane where it lies in the image."""
    placed = placement(source)
    offset = np.array([*index, *(0,) * (source.ndim - len(index))], float)
    if offset.any():
        moved = np.asarray(source.data_to_world(offset)) - source.data_to_world(0 * offset)
        affine = np.array(placed["affine"], float)
        affine[:-1, -1] += moved
        placed["affine"] = affine
    return placed
