"""What the programs that make pictures share: a window, a run, waiting, and the picture itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.scenes import sample_scene

SECONDS = 300
COLORS = 256
SCENE_SIZE = (1360, 900)


def open_window(size: tuple[int, int]) -> napari.Viewer:
    """Open an empty viewer of a size in pixels."""
    viewer = napari.Viewer(show=False)
    window = viewer.window._qt_window
    window.resize(*size)
    window.show()
    return viewer


def run_scene(prompts: Sequence[str], theme: str = "dark") -> tuple[napari.Viewer, HeatmapWidget]:
    """Open a window with the drawn scene and the dock, and run prompts."""
    viewer = open_window(SCENE_SIZE)
    viewer.theme = theme
    viewer.add_image(sample_scene(), name="cells", scale=(0.2, 0.2), units=("um", "um"))
    dock = HeatmapWidget(viewer)
    viewer.window.add_dock_widget(dock, name="CLIP Heatmap")
    dock["prompts"].value = list(prompts)
    dock.start()
    wait_until(lambda: dock["run"].enabled)
    return viewer, dock


def wait_until(done: Callable[[], bool]) -> None:
    """Let the viewer work until something holds."""
    end = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not done within {SECONDS} s")
        pause(0.05)


def pause(seconds: float) -> None:
    """Let the viewer work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def frame(viewer: napari.Viewer) -> Image.Image:
    """Return what the window shows."""
    return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")


def picture(viewer: napari.Viewer, path: Path) -> None:
    """Write what the window shows, once it has come to rest."""
    pause(2)
    path.parent.mkdir(exist_ok=True)
    frame(viewer).quantize(COLORS).save(path, optimize=True)
