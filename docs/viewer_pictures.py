"""What the programs that take pictures share: a process for each, a window, a run, the picture."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.demo import PLUGIN
from napari_clip_heatmap._napari.widget import HeatmapWidget

SECONDS = 300
COLORS = 256
SIZE = (1360, 850)


@dataclass(frozen=True)
class Shot:
    """What takes a picture, and on a screen of which density."""

    take: Callable[[], None]
    density: int = 1


def take_each(script: str, shots: Mapping[str, Shot]) -> None:
    """Take one picture, or all, each in a process, with settings and a cache of its own."""
    parser = argparse.ArgumentParser(description=f"{script}: take pictures in a real viewer")
    parser.add_argument("--picture", choices=shots)
    parser.add_argument("--taken", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.taken:
        shots[options.picture].take()
        return
    for name in [options.picture] if options.picture else shots:
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                **os.environ,
                "NAPARI_CONFIG": f"{folder}/napari.yaml",
                "CLIP_HEATMAP_CACHE": f"{folder}/cache",  # else a region may lie in a finished map
                "QT_SCALE_FACTOR": str(shots[name].density),
            }
            command = [sys.executable, script, "--picture", name, "--taken"]
            subprocess.run(command, env=environment, check=True)


def open_window(size: tuple[int, int]) -> napari.Viewer:
    """Open an empty viewer of a size in pixels."""
    viewer = napari.Viewer(show=False)
    window = viewer.window._qt_window
    window.resize(*size)
    window.show()
    return viewer


def open_sample(
    sample: str, prompts: Sequence[str], size: tuple[int, int] = SIZE
) -> tuple[napari.Viewer, HeatmapWidget]:
    """Open a window with a sample and the dock, and fill in prompts."""
    viewer = open_window(size)
    viewer.open_sample(PLUGIN, sample)
    dock: HeatmapWidget = viewer.window.add_plugin_dock_widget(PLUGIN, "CLIP Heatmap")[1]
    dock["prompts"].value = list(prompts)
    pause(0.5)
    viewer.reset_view()
    return viewer, dock


def run(dock: HeatmapWidget) -> None:
    """Press run, and wait for maps and verdicts."""
    dock.start()
    wait_until(lambda: dock.state.result is not None and dock.state.result.assessment is not None)


def make_objects(dock: HeatmapWidget, what: str) -> None:
    """Make a layer of objects, and wait for it."""
    dock.state.message = ""
    dock.annotation.maker.make(what)
    wait_until(lambda: dock.state.message not in ("", "Making objects"))


def hide_heatmaps(viewer: napari.Viewer, dock: HeatmapWidget) -> None:
    """Show the image and what was made from the heatmaps."""
    for layer in viewer.layers:
        layer.visible = layer.name not in dock["prompts"].value


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
