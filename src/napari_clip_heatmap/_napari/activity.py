"""A run's progress in napari's activity dock, with a button that cancels it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.utils import cancelable_progress

__all__ = ["Activity"]


class Activity:
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
