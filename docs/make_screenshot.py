"""Make the README's picture: napari with the sample, its heatmaps and the docked widget.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 1600x1000x24" python docs/make_screenshot.py``
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.demo import begin_demo

SIZE = (1360, 850)
SECONDS = 300


def main() -> None:
    """Open the demo, wait for its heatmaps, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("screenshot.png"))
    parser.add_argument("--prompt", help="the heatmap to show; by default the first")
    settings = parser.parse_args()

    viewer = napari.Viewer(show=False)
    window = viewer.window._qt_window
    window.resize(*SIZE)
    window.show()
    widget = begin_demo(viewer)
    wait_until(lambda: widget["run"].enabled)
    prompt = settings.prompt or widget["prompts"].value[0]
    for layer in viewer.layers[1:]:
        layer.visible = layer.name == prompt
    viewer.layers.selection.active = viewer.layers[prompt]
    viewer.reset_view()
    pause(2)
    viewer.screenshot(settings.output, canvas_only=False, flash=False)
    viewer.close()


def wait_until(done: Callable[[], bool]) -> None:
    """Let the viewer work until something holds."""
    end = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"no heatmaps within {SECONDS} s")
        pause(0.05)


def pause(seconds: float) -> None:
    """Let the viewer work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
