"""What the viewer shows of image layers, as channels for the model; notes on what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from napari.layers import Image

from napari_clip_heatmap._napari.inputs.layer_planes import (
    finest,
    is_heatmap,
    leading_shape,
    pyramid_of,
    shown_index,
    slider_steps,
)
from napari_clip_heatmap._napari.inputs.pixel_size import unit_factor
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel, Plane
from napari_clip_heatmap.imaging.compositing import Blend, BlendMode, Projection, ThickPlane

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

__all__ = ["channels_of", "fits_image", "outside_shift", "view_notes"]


LUT_STEPS = 1024
"""As fine as napari's own colormap texture, so that the model sees the same colors."""

BLACK = (0.0, 0.0, 0.0)

Index = tuple[int, ...]


def fits_image(layer: Image, image: Image) -> bool:
    """Tell whether a layer's pixels lie exactly on another's: same shape, same place in the world.

    Transforms are compared in physical units, so 1000 nm is 1 µm. A unit that cannot be converted
    into the other's counts for nothing, as in napari.
    """
    if layer.ndim != image.ndim or _shape(layer) != _shape(image):
        return False
    factors = [unit_factor(mine, its) for mine, its in zip(layer.units, image.units, strict=True)]
    scale = np.ones(layer.ndim) if None in factors else np.asarray(factors, dtype=float)
    # A corner and a step along each axis define an affine transform.
    points = np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim)])
    mine = np.array([layer.data_to_world(point) for point in points]) * scale
    its = np.array([image.data_to_world(point) for point in points])
    size = np.abs(its[1:] - its[0]).max()
    return bool(np.allclose(mine, its, rtol=1e-9, atol=1e-6 * size))


def channels_of(
    layers: Sequence[Image], index: Index, viewer: ViewerModel | None = None
) -> tuple[Channel, ...]:
    """Return one plane of layers that lie on one another, as the viewer shows it.

    Contrast limits, gamma, colormap, opacity and blending are taken as they are now; the pixels
    are not read yet.

    Parameters
    ----------
    layers : sequence of Image
        The image, and then its further channels.
    index : tuple of int
        Position of the plane on their leading axes, in data steps.
    viewer : ViewerModel, optional
        Whose order of layers, thickness of slices and background count. Without one, layers lie
        on one another in the order given, slices are a single plane and the background is black.

    Raises
    ------
    ImageError
        A layer does not lie on the first.
    """
    image, *others = layers
    for other in others:
        if not fits_image(other, image):
            raise ImageError(
                f"the layer '{other.name}' does not lie on '{image.name}': it has shape "
                f"{_shape(other)}, not {_shape(image)}, or another scale, unit or position. "
                "Choose channels of one image"
            )
    blends = _blends(layers, viewer)
    return tuple(
        _channel(layer, _slab(layer, index, viewer), blend)
        for layer, blend in zip(layers, blends, strict=True)
    )


@dataclass(frozen=True)
class _Slab:
    """One plane of a stack, or several that are put together.

    Parameters
    ----------
    index : tuple of int
        Position of the plane.
    ranges : tuple of (int, int), optional
        First and beyond-last position on each leading axis; None of a single plane.
    projection : {"sum", "mean", "max", "min"}
    """

    index: Index
    ranges: tuple[tuple[int, int], ...] | None = None
    projection: Projection = "max"


def _slab(layer: Image, index: Index, viewer: ViewerModel | None) -> _Slab:
    """Return which planes napari puts together for a slice at an index."""
    mode = str(layer.projection_mode)
    if viewer is None or not index or mode == "none":
        return _Slab(index)
    dims = viewer.dims
    here, left, right = (
        _leading_position(layer, world)
        for world in (
            np.asarray(dims.point),
            np.asarray(dims.point) - dims.margin_left,
            np.asarray(dims.point) + dims.margin_right,
        )
    )
    # The slider may stand between two planes.
    at = np.asarray(index) + here - shown_index(layer, dims.point)
    ranges = tuple(
        _range(point - abs(here_ - left_), point + abs(right_ - here_), length)
        for point, here_, left_, right_, length in zip(
            at, here, left, right, leading_shape(layer), strict=True
        )
    )
    if all(last - first == 1 for first, last in ranges):
        return _Slab(tuple(first for first, _ in ranges))
    return _Slab(index, ranges, cast("Projection", mode))


def outside_shift(image: Image, viewer: ViewerModel) -> NDArray[np.float64]:
    """Return how far a map must move in the world to be drawn where its stack is drawn.

    Zero, unless a slider stands outside the stack and the margin of the slice reaches it: then
    from the nearest plane, which the map is of, to the slider.

    Returns
    -------
    float64 (axis,)
        In the units of the layer's translation.
    """
    dims, n_leading = viewer.dims, image.ndim - 2
    still = np.zeros(image.ndim)
    if not n_leading or str(image.projection_mode) == "none" or dims.ndisplay == 3:
        return still
    here = np.asarray(image.world_to_data(tuple(dims.point)[-image.ndim :]), float)[: image.ndim]
    last = np.asarray(leading_shape(image)) - 1.0
    nearest = here.copy()
    nearest[:n_leading] = np.clip(here[:n_leading], 0, last)
    away = np.abs(here - nearest)[:n_leading]
    ends = (np.asarray(dims.point) - dims.margin_left, np.asarray(dims.point) + dims.margin_right)
    reach = np.max([np.abs(_leading_position(image, end) - here[:n_leading]) for end in ends], 0)
    if not (away > 0.5).any() or (away > reach + 0.5).any():
        return still
    moved: NDArray[np.float64] = np.asarray(image.data_to_world(here)) - image.data_to_world(
        nearest
    )
    return moved


def _leading_position(layer: Image, world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a point of the world on a layer's leading axes, in data steps."""
    return np.asarray(layer.world_to_data(tuple(world)[-layer.ndim :])[: layer.ndim - 2], float)


def _range(low: float, high: float, length: int) -> tuple[int, int]:
    """Return the first and the beyond-last plane of a thick slice, as napari rounds them."""
    first, last = max(int(np.round(low)), 0), max(int(np.round(high)), 0)
    if np.isclose(last, high) or last == first:
        last += 1
    first = min(first, length - 1)
    return first, min(max(last, first + 1), length)


def _blends(layers: Sequence[Image], viewer: ViewerModel | None) -> tuple[Blend | None, ...]:
    """Return how each layer is drawn onto those below it; None of all where they simply add up."""
    order = list(range(len(layers)))
    if viewer is not None:
        stacked = [layer for layer in viewer.layers if layer in layers]
        order = [stacked.index(layer) if layer in stacked else n for n, layer in enumerate(layers)]
    lowest = min(zip(order, layers, strict=True), key=lambda each: each[0])[1]
    if all(_adds_up(layer, lowest=layer is lowest) for layer in layers):
        return (None,) * len(layers)
    background = _background(viewer)
    return tuple(
        Blend(cast("BlendMode", str(layer.blending)), float(layer.opacity), position, background)
        for layer, position in zip(layers, order, strict=True)
    )


def _adds_up(layer: Image, *, lowest: bool) -> bool:
    """Tell whether a layer's colors are simply added to those below it."""
    opaque = layer.opacity == 1 and not _has_alpha(layer)
    return opaque and (lowest or str(layer.blending) == "additive")


def _has_alpha(layer: Image) -> bool:
    """Tell whether a layer has pixels that are not opaque by themselves."""
    if layer.rgb:
        return int(finest(layer).shape[-1]) == 4
    return bool((_table(layer)[:, 3] < 1).any())


def _background(viewer: ViewerModel | None) -> tuple[float, float, float]:
    """Return the color of the canvas; napari 0.8 tells only its theme."""
    canvas = getattr(viewer, "canvas", None)
    if viewer is None:
        return BLACK
    if canvas is not None:
        color = canvas.background_color
    else:
        from napari.utils.theme import get_theme

        color = np.asarray(get_theme(viewer.theme).canvas.as_rgb_tuple()[:3]) / 255
    red, green, blue = (float(part) for part in color[:3])
    return red, green, blue


def _channel(layer: Image, slab: _Slab, blend: Blend | None) -> Channel:
    low, high = (float(limit) for limit in layer.contrast_limits)
    lut = None if layer.rgb else _lut(layer, alpha=blend is not None)
    return Channel(_levels(layer, slab), (low, high), float(layer.gamma), lut, blend)


def _levels(layer: Image, slab: _Slab) -> tuple[Any, ...]:
    """Return a plane at each level, the finest first; coarser levels may have fewer planes."""
    levels = pyramid_of(layer)
    return tuple(_level(level, levels[0].shape, slab) for level in levels)


def _level(array: Any, whole: Index, slab: _Slab) -> Any:
    if not slab.index:
        return array  # as it is, so that whoever knows its kind can treat it best
    sizes = tuple(zip(array.shape, whole, strict=False))[: len(slab.index)]
    if slab.ranges is None:
        return Plane(
            array, tuple(i * n // of for i, (n, of) in zip(slab.index, sizes, strict=True))
        )
    ranges = tuple(
        (first * n // of, max(-(-last * n // of), first * n // of + 1))
        for (first, last), (n, of) in zip(slab.ranges, sizes, strict=True)
    )
    return ThickPlane(array, ranges, slab.projection)


def _lut(layer: Image, *, alpha: bool) -> NDArray[np.float32] | None:
    """Return the colormap as a table (step, color); None for plain gray, which needs none."""
    table = _table(layer)
    if np.array_equal(table, np.linspace((0, 0, 0, 1), (1, 1, 1, 1), LUT_STEPS, dtype=np.float32)):
        return None
    return table if alpha else table[:, :3]


def _table(layer: Image) -> NDArray[np.float32]:
    table: NDArray[np.float32] = layer.colormap.map(np.linspace(0, 1, LUT_STEPS)).astype(np.float32)
    return table


def _shape(layer: Image) -> Index:
    """Return the lengths of a layer's axes at full resolution, colors left out."""
    return tuple(int(n) for n in finest(layer).shape)[: layer.ndim]


def view_notes(layers: Sequence[Image], viewer: ViewerModel) -> tuple[str, ...]:
    """Say in which ways the model sees something else than the viewer shows.

    Parameters
    ----------
    layers : sequence of Image
        The image, and then its further channels.
    viewer : ViewerModel

    Returns
    -------
    tuple of str
        A sentence each; none where both see the same.
    """
    return (*_plane_notes(layers[0], viewer), *_layer_notes(layers, viewer))


def _plane_notes(image: Image, viewer: ViewerModel) -> Iterator[str]:
    """Say which plane the model sees, if the viewer shows another one."""
    *leading, rows, columns = image.axis_labels
    index = shown_index(image, viewer.dims.point)
    at = ", ".join(f"{label} = {step}" for label, step in zip(leading, index, strict=True))
    at = f" at {at}" if at else ""
    seen = f"the model sees the plane of {rows} and {columns}{at}"
    shown = _displayed(image, viewer)
    if viewer.dims.ndisplay == 3:
        yield f"The view is in 3D; {seen}."
    elif shown == (image.ndim - 1, image.ndim - 2):
        yield (
            f"The view is transposed: {columns} runs down and {rows} to the right; {seen}, "
            "not transposed. The heatmap lies on the image, transposed like it."
        )
    elif shown != (image.ndim - 2, image.ndim - 1):
        down, right = (image.axis_labels[axis] for axis in shown)
        yield (
            f"The view shows the plane of {down} and {right}; {seen}. The heatmap lies there. To "
            f"ask the plane of {down} and {right}, open the data with these axes last."
        )
    elif (here := slider_steps(image, viewer.dims.point)) != index:
        lies = (
            "and the heatmap is drawn where the image is."
            if outside_shift(image, viewer).any()
            else "and the heatmap lies there: move the sliders there to see it."
        )
        yield (
            f"The sliders stand outside '{image.name}', at {', '.join(map(str, here))}; {seen}, "
            f"{lies}"
        )


def _displayed(image: Image, viewer: ViewerModel) -> tuple[int, ...]:
    """Return which axes of a layer the viewer shows; those that it has fewer of are the first."""
    dims = viewer.dims
    first = dims.ndim - image.ndim
    own = [axis - first for axis in dims.order if axis >= first]
    return tuple(own[-dims.ndisplay :])


def _layer_notes(layers: Sequence[Image], viewer: ViewerModel) -> Iterator[str]:
    """Say what is not taken over of layers, and which layers are left out."""
    for layer in layers:
        if any(plane.enabled for plane in layer.experimental_clipping_planes):
            yield f"The clipping planes of '{layer.name}' are left out: the model sees all of it."
        if str(layer.interpolation2d) == "custom":
            yield f"The custom interpolation of '{layer.name}' is left out."
        if not layer.visible:
            yield f"The layer '{layer.name}' is hidden; the model sees it as if it were shown."
    others = [
        layer.name
        for layer in viewer.layers
        if isinstance(layer, Image)
        and layer not in layers
        and layer.visible
        and not is_heatmap(layer)
        and fits_image(layer, layers[0])
    ]
    if others:
        named = ", ".join(f"'{name}'" for name in others[:3]) + (", ..." if others[3:] else "")
        yield f"The model does not see {named}: choose them as channels if it should."
