"""Objects with the outlines that the image has: a map says where, pixels say how far.

A map is as coarse as its patches, and brighter around an object too, as the model sees context. The
image is sharp, but does not know words. So the color that goes with the map is learnt from the
image itself, and separated from what surrounds it where the map is high.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.segmentation import connected, enclosed_pixels, without_small
from napari_clip_heatmap.errors import ImageError, shown_value
from napari_clip_heatmap.imaging.channel import stretched

__all__ = ["check_pixels", "segment_by_image"]

_RIDGE = 1e-3
"""Of the colors' variance, added where channels are nearly the same."""


def check_pixels(image: Any, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image as float32 (y, x, channel) without alpha, each channel in 0..1, else NaN.

    Raises
    ------
    ImageError
        It is no image of this shape.
    """
    try:
        pixels = np.asarray(image)
    except Exception as error:
        raise ImageError(
            f"the image ({type(image).__name__}) cannot be read as an array "
            f"({shown_value(error, 160)}); accepted: the image that was encoded"
        ) from error
    fits = pixels.ndim in (2, 3) and pixels.shape[:2] == shape and pixels.dtype.kind in "buif"
    if not fits or (pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4):
        raise ImageError(
            f"the image has the shape {pixels.shape} and the type {pixels.dtype}, and its maps "
            f"{shape}; accepted: the image that was encoded, (y, x) or (y, x, 3 or 4), of numbers"
        )
    with np.errstate(over="ignore"):  # what double cannot hold becomes infinite
        channels = pixels.reshape(*shape, -1)[..., :3].astype(np.float64)
    known = np.isfinite(channels)
    unit = np.full(channels.shape, np.nan, np.float32)
    for number in range(channels.shape[-1]):
        inside = known[..., number]
        if inside.any():
            values = channels[inside, number]
            unit[inside, number] = stretched(values, float(values.min()), float(values.max()))
    return unit


def segment_by_image(
    values: NDArray[np.float32],
    limit: float,
    pixels: NDArray[np.float32],
    reach: float,
    *,
    min_area: float = 0,
    split: str = "none",
    fill_holes: bool = False,
) -> NDArray[np.int32]:
    """Return the objects of one map, outlined as the image shows them.

    Parameters
    ----------
    values : float32 (y, x)
        The map at image pixels; NaN belongs to no object.
    limit : float
        Objects are looked for where the map is above it. NaN gives none.
    pixels : float32 (y, x, channel)
        As `check_pixels` returns them.
    reach : float
        Image pixels by which an object may lie outside of that: half a patch.
    min_area, split, fill_holes
        As `segment` takes them; "watershed" separates objects at their waists.
    """
    mask = _foreground(values, limit, pixels, reach)
    if fill_holes:
        mask |= enclosed_pixels(mask)
    labels = connected(mask)
    if split == "watershed":
        labels = _split_at_waists(mask, labels, reach / 4)
    return without_small(_above(labels, values, limit), min_area)


def _foreground(
    values: NDArray[np.float32], limit: float, pixels: NDArray[np.float32], reach: float
) -> NDArray[np.bool_]:
    """Return the pixels near a high map whose color goes with it."""
    from skimage.filters import threshold_otsu  # deferred: it takes a second to import
    from skimage.segmentation import expand_labels

    above = values > limit
    near = expand_labels(above.astype(np.uint8), reach) > 0
    known = np.isfinite(values) & np.isfinite(pixels).all(axis=-1)
    near &= known
    if not above.any() or not near.any():
        return np.zeros(values.shape, bool)
    shade = pixels @ _color_of(values[known], pixels[known])
    if np.ptp(shade[near]) == 0:
        # The image shows nothing that could be separated.
        return np.asarray(near & above, bool)
    return np.asarray(near & (shade > threshold_otsu(shade[near])), bool)


def _color_of(values: NDArray[np.float32], colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights of the channels that predict the map best, by least squares."""
    centered = colors.astype(np.float64) - colors.mean(axis=0, dtype=np.float64)
    covariance = centered.T @ centered / len(centered)
    ridge = _RIDGE * np.trace(covariance) / len(covariance) + np.finfo(np.float64).tiny
    with_map = centered.T @ (values - values.mean(dtype=np.float64)) / len(centered)
    weights = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), with_map)
    return np.asarray(weights, np.float32)


def _above(
    labels: NDArray[np.int32], values: NDArray[np.float32], limit: float
) -> NDArray[np.int32]:
    """Leave out objects over which the mean of the map is not above the threshold."""
    inside = (labels > 0) & np.isfinite(values)
    n = int(labels.max()) + 1
    count = np.bincount(labels[inside], minlength=n)
    mean = np.bincount(labels[inside], values[inside], n) / np.maximum(count, 1)
    keep = (count > 0) & (mean > limit)
    kept: NDArray[np.int32] = np.where(keep[labels], labels, 0)
    return kept


def _split_at_waists(
    mask: NDArray[np.bool_], labels: NDArray[np.int32], height: float
) -> NDArray[np.int32]:
    """Separate objects between places that are further from the background than the way there."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter
    from skimage.measure import label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    if not mask.any():
        return labels
    depth = gaussian_filter(distance_transform_edt(mask), 1.0)
    markers = label(h_maxima(depth, max(height, 0.5)))
    basins = watershed(-depth, markers, mask=mask)
    return connected(basins)
