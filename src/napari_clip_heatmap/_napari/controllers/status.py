"""One line on what a run did, and one on how fine a map will be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari.utils import cancelable_progress

from napari_clip_heatmap._napari.inputs.pixel_size import size_text

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.inputs.pixel_size import ModelSizes
    from napari_clip_heatmap._napari.job.request import HeatmapResult

__all__ = ["ActivityBar", "resolution_text", "summary", "time_left"]


def summary(answer: HeatmapResult, scale: Sequence[float], units: Sequence[Any]) -> str:
    """Say how much was done, how long it took, and how fine the map really is.

    Parameters
    ----------
    answer : HeatmapResult
    scale : (y, x)
        Size of an image pixel, in `units`.
    units : (y, x) of pint units
        As layers have them; "pixel" where the image has none.

    Returns
    -------
    str
        Such as "5 prompts, 12 tiles, 0.8 s; one patch = 8 px".
    """
    axis = answer.stack.lattice.x
    patch = size_text(axis.patch, axis.image / axis.working, scale[-1], units[-1])
    parts = [
        _count(len(answer.keys), "prompt"),
        *([_count(len(answer.planes), "slice")] if len(answer.planes) > 1 else []),
        _count(answer.tiles, "tile") if answer.tiles else "encoded before",
        f"{answer.seconds:.2g} s",
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


def time_left(seconds: float | None) -> str:
    """Say how long it will still take, as finely as an estimate deserves."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f", {max(1, round(seconds))} s left"
    minutes = round(seconds / 60)
    return f", {minutes} min left" if minutes < 90 else f", {seconds / 3600:.1f} h left"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


class ActivityBar:
    """One bar in the activity dock, from the first step of a run to its end.

    Parameters
    ----------
    cancel : callable
        Called when its Cancel button is pressed.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._bar: _Bar | None = None

    def show(self, text: str, done: int, total: int) -> None:
        """Show what is being done; with `total` 0, only that something is."""
        if self._bar is None:
            self._bar = _Bar(self._cancel, text, total)
        bar = self._bar
        if bar.total != total:
            bar.reset(total=total)
            bar.total = total
        if bar.desc != f"{text}: ":
            bar.set_description(text)
        if done > bar.n:
            bar.update(done - bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Bar(cancelable_progress):  # type: ignore[misc] # napari ships no types
    """A bar whose Cancel button works at once; napari's works only in a loop over the bar."""

    def __init__(self, cancel: Callable[[], None], text: str, total: int) -> None:
        self._on_cancel = cancel
        # leave: without it tqdm would clear a line of the terminal at the end
        super().__init__(total=total, desc=text, cancel_callback=cancel, **_SILENT)

    def cancel(self) -> None:
        super().cancel()
        self._on_cancel()


class _Nowhere:
    """What tqdm would print in the terminal goes here; napari shows the rest."""

    def write(self, _: str) -> int:
        return 0

    def flush(self) -> None:
        """Do nothing."""


_SILENT: dict[str, Any] = {"file": _Nowhere()}
