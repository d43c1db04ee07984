"""A heatmap drawn along the edges of its image, as a layer to look at and never to measure in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from napari.layers import Image

from napari_clip_heatmap._napari.controllers.layers import changing, row_key_of
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, placement, shown_index
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.edge_aware import draw_along_edges
from napari_clip_heatmap.imaging.source import ImageSource

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.state import LayerResult

__all__ = ["EdgeDisplay", "add_edge_display", "edge_display_work"]

LARGEST = 4096 * 4096
"""Image pixels up to which a whole plane is drawn."""


@dataclass(frozen=True, eq=False)
class EdgeDisplay:
    """A map drawn along the edges of its image.

    Parameters
    ----------
    heatmap : Image
        The layer of the map.
    image : Image
        What it was made from.
    index : tuple of int
        The plane.
    picture : float32 (y, x)
    """

    heatmap: Image
    image: Image
    index: tuple[int, ...]
    picture: NDArray[np.float32]


def edge_display_work(
    shown: LayerResult, heatmap: Image, viewer: ViewerModel
) -> Callable[[Callable[[], bool]], EdgeDisplay]:
    """Return the work that draws the plane in view of a heatmap.

    Raises
    ------
    ImageError
        The plane has no map, or too many pixels.
    """
    result, request = shown.result, shown.request
    index = shown_index(shown.image, viewer.dims.point)
    maps = result.stack.maps_at(index)
    plane = next((each for each in request.planes if each.index == index), None)
    key = row_key_of(heatmap)
    if maps is None or plane is None or key not in result.keys:
        raise ImageError("there is no map of this slice from the last run: press Run first")
    height, width = maps.lattice.image_shape
    if height * width > LARGEST:
        raise ImageError(
            f"the image has {height} x {width} pixels, and at most {LARGEST} are drawn along "
            "edges; crop the layer first"
        )
    number = result.keys.index(key)

    def work(_stopped: Callable[[], bool]) -> EdgeDisplay:
        appearance = request.view.appearance(plane.channels)
        source = ImageSource(plane.channels, appearance, (height, width))
        pixels = source.read(slice(0, height), slice(0, width))
        one = slice(number, number + 1)
        picture = draw_along_edges(maps.lattice_values[one], maps.lattice, pixels)[0]
        picture[~np.isfinite(maps.window(maps=one)[0])] = np.nan
        return EdgeDisplay(heatmap, shown.image, index, picture)

    return work


def add_edge_display(viewer: ViewerModel, drawn: EdgeDisplay) -> Image:
    """Add the layer. It is none of our heatmaps, so nothing is computed from it."""
    heatmap = drawn.heatmap
    layer = Image(
        _in_stack(drawn),
        name=f"{heatmap.name} (along edges, display only)",
        colormap=heatmap.colormap,
        contrast_limits=heatmap.contrast_limits,
        opacity=heatmap.opacity,
        blending=heatmap.blending,
        metadata={METADATA_KEY: {"display_of": str(heatmap.unique_id)}},
        **placement(drawn.image),
    )
    active = viewer.layers.selection.active
    with changing():
        viewer.add_layer(layer)
        heatmap.visible = False
        viewer.layers.selection.active = active
    return layer


def _in_stack(drawn: EdgeDisplay) -> Any:
    """Return the picture in its plane of an array like the image's, elsewhere NaN."""
    if not drawn.index:
        return drawn.picture
    leading = drawn.image.ndim - 2
    shape = tuple(int(n) for n in drawn.heatmap.data.shape[:leading]) + drawn.picture.shape
    chunks = ((1,) * n for n in shape[:leading])

    def plane(block_id: tuple[int, ...]) -> NDArray[np.float32]:
        here = block_id[:leading] == drawn.index
        picture = drawn.picture if here else np.full_like(drawn.picture, np.nan)
        return picture.reshape((1,) * leading + picture.shape)

    return da.map_blocks(  # type: ignore[no-untyped-call] # dask ships no types for it
        plane, chunks=(*chunks, *((n,) for n in drawn.picture.shape)), dtype=np.float32
    )
