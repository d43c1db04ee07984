"""Which devices a model can run on, found in the background while the user types."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.startup import available_devices, import_torch_and_open_clip

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.state import DockState

__all__ = ["DeviceLister"]


class DeviceLister:
    """Lists the devices once, importing torch in a thread if it is not there yet.

    Parameters
    ----------
    state : DockState
        Its `devices` are set.
    """

    def __init__(self, state: DockState) -> None:
        self._state = state
        self._job = Job(self._on_listed, self._on_error)
        if "open_clip" in sys.modules:
            self._on_listed(available_devices())
        else:
            self._job.start(_import_and_list)

    def close(self) -> None:
        """Stop listing."""
        self._job.close()

    def _on_listed(self, devices: tuple[str, ...]) -> None:
        self._state.devices = devices

    def _on_error(self, error: Exception) -> None:
        """Keep the devices that every machine has; loading a model will say what is wrong."""


def _import_and_list(_stopped: Callable[[], bool]) -> tuple[str, ...]:
    try:
        import_torch_and_open_clip()
    except ImportError as error:
        raise OSError(str(error)) from error  # expected where torch is broken; not our fault
    return available_devices()
