"""The demo in a real viewer: the sample, the widget filled in, and the run begun."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from napari_clip_heatmap.scenes import SAMPLE_PROMPTS

if TYPE_CHECKING:
    import napari

    from napari_clip_heatmap._napari.widget import HeatmapWidget

__all__ = ["begin_demo", "open_demo", "why_no_display"]


PLUGIN = "napari-clip-heatmap"

DEMO_SETTINGS = {"model": "demo", "score": "balanced", "templates": "plain", "view": "shown"}
"""By name of the control."""


def open_demo() -> None:
    """Open napari with the demo; returns when its window is closed."""
    import napari  # deferred: asking for a display must not cost the seconds that this takes

    begin_demo(napari.Viewer())
    napari.run()


def begin_demo(viewer: napari.Viewer) -> HeatmapWidget:
    """Open the sample and the dock widget as a user would, and press run.

    Parameters
    ----------
    viewer : napari.Viewer
        An empty one.

    Returns
    -------
    HeatmapWidget
        At work.
    """
    from qtpy.QtCore import QTimer  # as above

    viewer.open_sample(PLUGIN, "drawn_scene")
    widget: HeatmapWidget = viewer.window.add_plugin_dock_widget(PLUGIN, "CLIP Heatmap")[1]
    # What the user chose last comes back in a new dock; the demo is the same for everybody.
    for name, value in DEMO_SETTINGS.items():
        widget[name].value = value
    widget["prompts"].value = list(SAMPLE_PROMPTS)
    widget.start()
    QTimer.singleShot(0, viewer.reset_view)  # the dock has taken its room from the canvas
    return widget


PROBE = "from qtpy.QtWidgets import QApplication; QApplication([])"

SECONDS = 60


def why_no_display() -> str | None:
    """Return why no window can open, in a few words, or None where one can.

    Qt ends the whole process where it finds no display or lacks a system library, so it is tried in
    a process of its own.
    """
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform in ("offscreen", "minimal"):
        return f"QT_QPA_PLATFORM is {platform}"
    if sys.platform.startswith("linux") and not (
        platform or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display"
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"Qt did not answer within {SECONDS} s"
    return None if probe.returncode == 0 else _reason(probe.stderr)


def _reason(stderr: str) -> str:
    """Qt says what is wrong first, a traceback says it last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines:
        return "Qt ended without a word"
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
