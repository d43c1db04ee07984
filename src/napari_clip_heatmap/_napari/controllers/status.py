"""Status line and notes: what runs, what a run did, how fine its heatmaps are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error

from napari_clip_heatmap._napari.controllers.background import UnexpectedError
from napari_clip_heatmap._napari.inputs.pixel_size import pixel_length
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap._napari.state import facts_of
from napari_clip_heatmap._napari.views.prompt_model import RowFigures, wrapped
from napari_clip_heatmap.imaging.resolution import lattice_resolution, resolution
from napari_clip_heatmap.pipeline.score_registry import Note

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.inputs.pixel_size import ModelSizes
    from napari_clip_heatmap._napari.job.request import HeatmapResult, RunStep
    from napari_clip_heatmap._napari.state import DockState, LayerResult

__all__ = [
    "figures_of",
    "merged_notes",
    "report_failure",
    "resolution_text",
    "seconds_text",
    "step_text",
    "summary",
    "time_left",
    "unknown_words_of",
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
    y, x = (pixel_length(*each) for each in zip(scale, units, strict=True))
    sizes = lattice_resolution(result.stack.lattice, (y, x), str(units[-1]))
    parts = [
        _count(len(result.keys), "prompt"),
        *([_count(len(result.planes), "slice")] if len(result.planes) > 1 else []),
        _count(result.tiles, "tile") if result.tiles else "encoded before",
        seconds_text(result.seconds),
    ]
    return f"{', '.join(parts)}; one patch = {sizes.patch_text}"


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
    y, x = (factor * pixel_length(*each) for each in zip(scale, units, strict=True))
    return str(resolution(sizes.patch, sizes.tile, (y, x), str(units[-1])))


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


CANCELS_OUT = "Its words cancel out, so its map is zero everywhere."
"""Of a prompt such as "nuclei - nuclei"."""


def unknown_words_of(shown: LayerResult) -> dict[str, tuple[str, ...]]:
    """Return the words that the model never met, by prompt; prompts of known words are left out.

    Of an example they are those of the words that are mixed in.
    """
    text = next(iter(shown.result.encodings.values())).text
    scoring = shown.result.scoring
    asked = {
        prompt: scoring.examples[prompt].words if prompt in scoring.examples else prompt
        for prompt in scoring.prompts
    }
    found = {prompt: tuple(text.unknown_words(words)) for prompt, words in asked.items()}
    return {prompt: unknown for prompt, unknown in found.items() if unknown}


def figures_of(shown: LayerResult) -> dict[str, RowFigures]:
    """Return what the table shows of each row of a result: of the slice in view."""
    result, assessment, trust = shown.result, shown.assessment, shown.trust
    if shown.encoding is None:
        return {}  # the slice is not computed, or memory holds it no more
    similarity = result.scoring.text @ shown.encoding.embedding
    low, high = float(similarity.min()), float(similarity.max())
    spread = high - low or 1.0
    figures = {}
    for number, (key, value) in enumerate(zip(result.keys, similarity, strict=True)):
        facts = () if assessment is None else facts_of(assessment.checks[number])
        if key in shown.empty_rows:
            facts = (CANCELS_OUT,)
        figures[key] = RowFigures(
            similarity=float(value),
            fraction=(float(value) - low) / spread,
            trust=trust.get(key),
            facts=tuple(map(wrapped, facts)),
        )
    return figures
