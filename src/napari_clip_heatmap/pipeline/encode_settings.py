"""Checks of the settings that encoding takes, done once before any work."""

from __future__ import annotations

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.validation import function, instance, integer, numbers

__all__ = ["check_encode_settings"]

LARGEST_BATCH = 65_536


def check_encode_settings(
    view: object,
    region: object,
    batch_size: object,
    focus: object,
    resume: object,
    cancelled: object,
) -> None:
    """Check what `encode_progressively` takes, as far as no image is needed for it.

    Raises
    ------
    SettingsError
        A setting has a wrong type or is outside its range; None is accepted for each.
    """
    for name, value, kind, accepted in (
        ("view", view, View, "a View, such as View('percentile')"),
        ("region", region, Region, "a Region, such as Region(box=(0, 0, 256, 256))"),
        ("resume", resume, Encoding, "an Encoding of the same image"),
    ):
        if value is not None:
            instance(name, value, kind, f"{accepted}, or None", SettingsError)
    if batch_size is not None:
        integer("batch_size", batch_size, 1, LARGEST_BATCH)
    if focus is not None:
        numbers("focus", focus, 2)
    if cancelled is not None:
        function("cancelled", cancelled)
