"""How fast models are where the dock would run them: measured when asked, kept until it closes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.controllers.background import Work
from napari_clip_heatmap._napari.job.model_download import Measure
from napari_clip_heatmap._napari.job.request import RunStep
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.model_listing import speed_in_words
from napari_clip_heatmap.pipeline.remote.scheduler import is_scheduler

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap.clip.catalog import CatalogEntry
    from napari_clip_heatmap.pipeline.speed import MeasuredSpeed

__all__ = ["SpeedMeasurement"]

REMOTE = "workers of a scheduler are not measured; choose a device of this machine, such as auto"
BUSY = "a run uses this machine, so it would look slower than it is; measure when the run is done"


class SpeedMeasurement:
    """Measures models with the dock's device and precision, and remembers what it found.

    Parameters
    ----------
    state : DockState
    measure : callable
        As `ModelCatalog.measure`.
    """

    def __init__(self, state: DockState, measure: Measure) -> None:
        self._state, self._measure = state, measure
        self._found: dict[tuple[str, str, str], MeasuredSpeed] = {}

    def work(self, entry: CatalogEntry) -> Work:
        """Return the work for a thread: it yields what it is at, and returns what to tell.

        Its errors are those of `measure_architecture`, and SettingsError where a run is at work or
        the device is a scheduler.
        """
        return partial(self._steps, entry, *self._placement())

    def noted(self, entries: Iterable[CatalogEntry]) -> tuple[CatalogEntry, ...]:
        """Return the entries with what was measured of their architectures, as the dock is set."""
        placement = self._placement()
        found = ((each, self._found.get((each.architecture, *placement))) for each in entries)
        return tuple(
            replace(each, seconds_here=None if speed is None else speed.seconds_per_megapixel)
            for each, speed in found
        )

    def _placement(self) -> tuple[str, str]:
        controls = self._state.controls
        return controls["device"], controls["precision"]

    def _steps(
        self, entry: CatalogEntry, device: str, precision: str, stopped: Callable[[], bool]
    ) -> Generator[RunStep, None, str]:
        yield RunStep(f"Measuring {entry.architecture} with random weights")
        if is_scheduler(device):
            raise SettingsError(REMOTE)
        self._require_idle()
        options = {"device": device, "precision": precision}
        speed = self._measure(entry.architecture, options, stopped)
        self._require_idle()  # nor has one begun since
        self._found[entry.architecture, device, precision] = speed
        seconds = speed_in_words(speed.seconds_per_megapixel)
        placed = f"{speed.device}, {speed.precision}"
        return f"{entry.architecture} takes {seconds} s a megapixel on this machine ({placed})."

    def _require_idle(self) -> None:
        if self._state.busy:
            raise SettingsError(BUSY)
