"""Status line and notes: what runs, what a run did, how fine its heatmaps are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error

from napari_clip_heatmap._napari.controllers.background import UnexpectedError
from napari_clip_heatmap._napari.inputs.pixel_size import size_text
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap.pipeline.score_registry import Note

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.inputs.pixel_size import ModelSizes
    from napari_clip_heatmap._napari.job.request import HeatmapResult, RunStep
    from napari_clip_heatmap._napari.state import DockState

__all__ = [
    "merged_notes",
    "report_failure",
    "resolution_text",
    "seconds_text",
    "step_text",
    "summary",
    "time_left",
]


def report_failure(state: DockState, failure: Exception | str) -> None:
    """Say why something was not done, in the status line and in napari's notifications.

    napari has shown an `UnexpectedError` already.
    """
    reason = failure if isinstance(failure, str) else error_message(failure)
    state.message = f"Not done: {reason}"
    if not isinstance(failure, UnexpectedError):
        show_error(reason)


def summary(result: HeatmapResult, scale: Sequence[float], units: Sequence[Any]) -> str:
    """Say how much was done, how long it took, and how fine the map really is.

    Parameters
    ----------
    result : HeatmapResult
    scale : (y, x)
        Size of an image pixel, in `units`.
    units : (y, x) of pint units
        As layers have them; "pixel" where the image has none.

    Returns
    -------
    str
        Such as "5 prompts, 12 tiles, 0.8 s; one patch = 8 px".
    """
    axis = result.stack.lattice.x
    patch = size_text(axis.patch, axis.image / axis.working, scale[-1], units[-1])
    parts = [
        _count(len(result.keys), "prompt"),
        *([_count(len(result.planes), "slice")] if len(result.planes) > 1 else []),
        _count(result.tiles, "tile") if result.tiles else "encoded before",
        seconds_text(result.seconds),
    ]
    return f"{', '.join(parts)}; one patch = {patch}"


def resolution_text(
    sizes: ModelSizes, factor: float, scale: Sequence[float], units: Sequence[Any]
) -> str:
    """Say how fine the map will be, and how far the model sees.

    Parameters
    ----------
    sizes : ModelSizes
    factor : float
        Image pixels per pixel that the model looks at.
    scale, units : (y, x)
        Of an image pixel.

    Returns
    -------
    str
        Such as "one patch = 3.2 µm, a tile = 45 µm".
    """
    patch, tile = (
        size_text(size[1], factor, scale[-1], units[-1]) for size in (sizes.patch, sizes.tile)
    )
    return f"one patch = {patch}, a tile = {tile}"


def step_text(step: RunStep) -> str:
    """Say what is being done, and how long it will still take."""
    return f"{step.text}{time_left(step.seconds_left)}"


def merged_notes(scoring: Iterable[str], assessment: Iterable[str]) -> tuple[str, ...]:
    """Return the notes of a result and of its verdicts, each fact once."""
    notes = tuple(scoring)
    kinds = {note.kind for note in notes if isinstance(note, Note)}
    new = (note for note in assessment if not (isinstance(note, Note) and note.kind in kinds))
    return (*notes, *new)


def time_left(seconds: float | None) -> str:
    """Say how long it will still take, as finely as an estimate deserves."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f", {max(1, round(seconds))} s left"
    minutes = round(seconds / 60)
    return f", {minutes} min left" if minutes < 90 else f", {seconds / 3600:.1f} h left"


def seconds_text(seconds: float) -> str:
    """Return a time with two significant digits and a unit that fits."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 600:
        return f"{seconds:.0f} s" if seconds < 100 else f"{10 * round(seconds / 10)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:.1f} h"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
