"""Put pictures together as a viewer does: planes of a thick slice, and layers on one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.validation import integer, number, numbers, one_of

__all__ = ["Blend", "BlendMode", "Projection", "ThickPlane", "compose_layers", "with_alpha"]

BlendMode = Literal[
    "translucent", "translucent_no_depth", "additive", "minimum", "multiplicative", "opaque"
]
"""napari's names."""

Projection = Literal["sum", "mean", "max", "min"]
"""How the planes of a thick slice become one; napari's names."""


_MOST_LAYERS = 1_000_000


@dataclass(frozen=True)
class Blend:
    """How a layer is drawn onto the layers below it.

    Parameters
    ----------
    mode : str
        A `BlendMode`.
    opacity : float
        0..1.
    position : int
        Among the layers, from the bottom up.
    background : (red, green, blue)
        Color of the canvas below all layers, 0..1.

    Raises
    ------
    SettingsError
        The mode is unknown, or a number has a wrong type or is outside its range.
    """

    mode: BlendMode = "translucent"
    opacity: float = 1.0
    position: int = 0
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        one_of("the blending", self.mode, get_args(BlendMode))
        number("the opacity", self.opacity, 0, 1)
        integer("the position", self.position, 0, _MOST_LAYERS)
        for part in numbers("the background", self.background, 3):
            number("the background", part, 0, 1)


def compose_layers(
    layers: Sequence[NDArray[np.float32]], blends: Sequence[Blend]
) -> NDArray[np.float32]:
    """Return what a canvas shows of layers, clipped to 0..1 after each as a canvas stores it.

    Parameters
    ----------
    layers : sequence of float32 (y, x, 1|3|4)
        Colors in 0..1, with alpha last where there are 4; not multiplied by alpha.
    blends : sequence of Blend
        One per layer.

    Returns
    -------
    float32 (y, x, 3)

    Notes
    -----
    These are the blend functions that napari gives to OpenGL. The lowest layer is special: it is
    never mixed with the canvas by "minimum" or "additive", and covers it by all other modes.
    """
    stack = sorted(zip(layers, blends, strict=True), key=lambda each: each[1].position)
    colors, alpha = _bottom(*stack[0])
    for layer, blend in stack[1:]:
        colors, alpha = _drawn_over(layer, blend, colors, alpha)
    return colors


_Canvas = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Colors (y, x, 3) and alpha (y, x, 1)."""


def _bottom(layer: NDArray[np.float32], blend: Blend) -> _Canvas:
    colors, alpha = _split(layer, blend)
    if blend.mode == "additive":
        colors = colors * alpha
    elif blend.mode != "minimum":
        colors = colors * alpha + np.asarray(blend.background, np.float32) * (1 - alpha)
    return colors, np.ones_like(alpha)


def _drawn_over(
    layer: NDArray[np.float32],
    blend: Blend,
    below: NDArray[np.float32],
    below_alpha: NDArray[np.float32],
) -> _Canvas:
    colors, alpha = _split(layer, blend)
    if blend.mode == "opaque":
        return colors, alpha
    if blend.mode == "minimum":
        return np.minimum(colors, below), np.minimum(alpha, below_alpha)
    if blend.mode == "multiplicative":
        colors = colors * below
    elif blend.mode == "additive":
        colors = colors * alpha + below * below_alpha
    else:
        colors = colors * alpha + below * (1 - alpha)
    one = np.float32(1)
    return np.minimum(colors, one), np.minimum(alpha + below_alpha, one)


def _split(layer: NDArray[np.float32], blend: Blend) -> _Canvas:
    """Return a layer's colors (y, x, 3) and its alpha times its opacity (y, x, 1)."""
    shape = layer.shape[:2]
    opacity = np.float32(blend.opacity)
    if layer.shape[2] == 4:
        return layer[..., :3], layer[..., 3:] * opacity
    return np.broadcast_to(layer, (*shape, 3)), np.full((*shape, 1), opacity, np.float32)


def with_alpha(
    tone: Callable[[NDArray[Any]], NDArray[np.float32]],
    colors: NDArray[Any],
    opacity: NDArray[Any] | None,
) -> NDArray[np.float32]:
    """Return toned colors that keep their own alpha, for `compose_layers`.

    Parameters
    ----------
    tone : callable
        From values (y, x, 1|3) to colors in 0..1 (y, x, 1|3|4).
    colors : float (y, x, 1|3)
        Values, times their opacity where that is given.
    opacity : float (y, x, 1), optional
    """
    if opacity is None:
        return tone(colors)
    straight = colors / np.where(opacity > 0, opacity, 1)
    return np.concatenate([tone(straight), opacity.astype(np.float32)], axis=-1)


class ThickPlane:
    """Several planes of an array made into one, as a viewer draws a thick slice.

    Only what is sliced is read, of each of the planes.

    Parameters
    ----------
    array : array-like (*leading, y, x) or (*leading, y, x, 3|4)
        Anything with a shape, a dtype and slicing.
    ranges : tuple of (int, int)
        First and beyond-last position on each leading axis.
    projection : {"sum", "mean", "max", "min"}

    Examples
    --------
    >>> stack = np.arange(12).reshape(3, 2, 2)
    >>> ThickPlane(stack, ((0, 2),), "max")[:, :]
    array([[4, 5],
           [6, 7]])
    """

    def __init__(
        self, array: Any, ranges: tuple[tuple[int, int], ...], projection: Projection
    ) -> None:
        self.array = array
        self.ranges = ranges
        self.projection = projection

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the plane."""
        return tuple(self.array.shape)[len(self.ranges) :]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values: of a sum or a mean the type in which NumPy computes it."""
        one = np.ones(1, np.dtype(self.array.dtype))
        dtype: np.dtype[Any] = np.asarray(getattr(np, self.projection)(one)).dtype
        return dtype

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        axes = tuple(range(len(self.ranges)))
        stored = self.array[(*(slice(*each) for each in self.ranges), *self._slices(key))]
        planes = stored if isinstance(stored, np.ma.MaskedArray) else np.asarray(stored)
        # What a sum or a mean cannot hold becomes infinite or NaN, and so is invalid.
        with np.errstate(over="ignore", invalid="ignore"):
            return getattr(planes, self.projection)(axis=axes)

    def _slices(self, key: Any) -> tuple[Any, ...]:
        return key if isinstance(key, tuple) else (key,)
