"""The Points layer of an example: which row it belongs to, its signs and how they look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color

from napari_clip_heatmap._napari.inputs.layer_planes import placement, shown_index
from napari_clip_heatmap._napari.inputs.layer_regions import to_image
from napari_clip_heatmap._napari.views.examples.example_controls import NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image
    from numpy.typing import NDArray

__all__ = ["ClickedPlaces", "clicked_places", "make_points", "mark_signs", "row_of", "set_sign"]

MARK = "clip_heatmap_example"
"""Key in a layer's metadata: the row that it belongs to."""

SYMBOLS = {POSITIVE: "disc", NEGATIVE: "x"}
COLORS = {POSITIVE: "#21d07a", NEGATIVE: "#ff4d4d"}

POINT_SIZE = 14
"""Pixels of a screen 1000 pixels wide, about."""


@dataclass(frozen=True, eq=False)
class ClickedPlaces:
    """Places of an example, in image pixels, whole numbers at pixel centers.

    Parameters
    ----------
    positive, negative : float64 (place, 2) or bool (y, x)
    elsewhere : int
        Points on other slices, which do not count.
    """

    positive: NDArray[Any]
    negative: NDArray[Any]
    elsewhere: int = 0


def make_points(image: Image, key: str, name: str) -> Points:
    """Return an empty layer for the clicks of a row, to be added to the viewer."""
    height, width = (int(n) for n in np.ptp(image.extent.data, axis=0)[-2:])
    signs = pd.Categorical([], categories=[POSITIVE, NEGATIVE])
    return Points(
        np.zeros((0, image.ndim)),
        ndim=image.ndim,
        name=f"{name} (places)",
        features=pd.DataFrame({"sign": signs}),
        feature_defaults={"sign": POSITIVE},
        face_color=COLORS[POSITIVE],
        border_color="white",
        border_width=0.12,
        size=max(3.0, POINT_SIZE * max(height, width) / 1000),
        symbol=SYMBOLS[POSITIVE],
        metadata={MARK: key},
        **placement(image),
    )


def row_of(layer: object) -> str:
    """Return the key of the row that a layer belongs to; empty if it is no layer of places."""
    metadata = getattr(layer, "metadata", {})
    return str(metadata.get(MARK, "")) if isinstance(layer, Points) else ""


def set_sign(layer: Points, sign: str) -> None:
    """Let the next clicks have a sign; in the mode that selects, give it to selected points."""
    chosen = sorted(layer.selected_data) if layer.mode == "select" else []
    layer.selected_data = set()
    layer.feature_defaults = {"sign": sign}
    layer.current_symbol, layer.current_face_color = SYMBOLS[sign], COLORS[sign]
    if chosen:
        features = layer.features.copy()
        features.loc[chosen, "sign"] = sign
        layer.features = features
        mark_signs(layer)


def mark_signs(layer: Points) -> None:
    """Draw each point by its sign."""
    signs = _signs(layer)
    symbols, colors = ([look[sign] for sign in signs] for look in (SYMBOLS, COLORS))
    if [str(each) for each in layer.symbol] != symbols:  # each costs a repaint
        layer.symbol = symbols
    if len(signs) and not np.allclose(layer.face_color, transform_color(colors)):
        layer.face_color = colors


def clicked_places(layer: Points, image: Image, point: Sequence[float]) -> ClickedPlaces:
    """Return the places on the slice in view.

    Parameters
    ----------
    layer : Points
    image : Image
    point : sequence of float
        Where the viewer's sliders stand, in world units.
    """
    data, signs = np.asarray(layer.data, float), np.array(_signs(layer), str)
    leading = image.ndim - 2
    here = np.ones(len(data), bool)
    if leading and len(data):
        index = shown_index(image, point)
        here = np.array([_plane_of(layer, each, image) == index for each in data])
    positions = to_image(layer, data[here], image).reshape(-1, 2) - 0.5
    kept = signs[here]
    return ClickedPlaces(
        positions[kept == POSITIVE], positions[kept == NEGATIVE], int((~here).sum())
    )


def _plane_of(layer: Points, position: NDArray[np.float64], image: Image) -> tuple[int, ...]:
    return shown_index(image, tuple(layer.data_to_world(position)))


def _signs(layer: Points) -> list[str]:
    """Return the sign of each point; where the feature is gone or unknown, it is positive."""
    if "sign" not in layer.features:
        return [POSITIVE] * len(layer.data)
    return [NEGATIVE if sign == NEGATIVE else POSITIVE for sign in layer.features["sign"]]
