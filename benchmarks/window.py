"""How long the window stands still (R1), on an image larger than memory and on a large one in it.

Run it where a window can open, or under Xvfb: ``xvfb-run -s "-screen 0 1600x1200x24" python
benchmarks/window.py``; it takes less than 3 minutes. A timer beats every 10 ms; it prints how late
its beats were, and what napari alone needs to add one layer and to draw it on the same machine.
Encodings are kept in a temporary folder, so nothing was encoded before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory

import dask.array as da
import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache
from napari_clip_heatmap.scenes import sample_scene

CHUNK = 1024
PROMPTS = ["nuclei", "filaments", "mitochondria", "bacteria", "vesicles"]


class Heartbeat:
    """Beats every 10 ms and keeps how late each beat was, in ms."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(10)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.late.append(1000 * (now - self._last) - 10)
        self._last = now

    def summary(self) -> str:
        """Stop, and say what was seen."""
        self._timer.stop()
        late = np.array(self.late)
        worst = ", ".join(f"{each:.0f}" for each in np.sort(late)[:-6:-1])
        return f"worst {worst} ms, {(late > 100).sum()} of {len(late)} over 100 ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="before a run is cancelled")
    parser.add_argument("--side", type=int, default=32_768, help="of the image beyond memory")
    settings = parser.parse_args()
    with TemporaryDirectory() as folder:
        measure(settings.side, settings.seconds, EncodingCache(folder))


def measure(side: int, seconds: float, cache: EncodingCache) -> None:
    """Measure both images."""
    tile = np.tile(sample_scene(), (2, 2, 1))
    cases = {
        f"pyramid of {side} x {side}, lazy": (pyramid(tile, side), True),
        "2048 x 2048 in memory": (np.tile(tile, (2, 2, 1)), False),
    }
    for name, (data, multiscale) in cases.items():
        viewer = napari.Viewer()
        viewer.add_image(data, multiscale=multiscale, rgb=True, name=name)
        pump(lambda: False, 2)
        alone = Heartbeat()
        viewer.add_image(np.zeros((2048, 2048), np.float32), contrast_limits=(0, 1))
        pump(lambda: False, 1)
        print(f"{name}\n  napari alone, one layer added: {alone.summary()}")
        viewer.layers.pop()
        widget = HeatmapWidget(viewer, Session(cache=cache))
        viewer.window.add_dock_widget(widget)
        widget["prompts"].value = PROMPTS
        pump(lambda: False, 5)  # torch is imported in the background, as while a user types
        for what in ("first run", "again, from where it was"):
            print(f"  {what}: {run(widget, seconds)}; {widget['status'].value}")
        viewer.close()


def run(widget: HeatmapWidget, seconds: float) -> str:
    """Run, cancel after some seconds, and say how late the heart beat and how soon it stopped.

    The time until napari has made the layers, or given them their new data, is printed on its own.
    """
    making = Heartbeat()
    widget.start()
    pump(lambda: "Tile" in widget["status"].value, 60)
    pump(lambda: False, 3)
    made = making.summary()
    heartbeat = Heartbeat()
    pump(lambda: widget["run"].enabled, seconds)
    asked = time.perf_counter()
    widget.stop()
    pump(lambda: widget["run"].enabled, 60)
    stopped = time.perf_counter() - asked
    return (
        f"while layers are made {made}; then {heartbeat.summary()}; stopped within {stopped:.2f} s"
    )


def pyramid(tile: np.ndarray, side: int) -> list[da.Array]:
    """Repeat a picture of one chunk lazily, at full resolution and halved down to one chunk."""
    levels = []
    while side >= CHUNK:
        times = side // CHUNK
        levels.append(da.tile(da.from_array(tile, chunks=tile.shape), (times, times, 1)))
        side //= 2
    return levels


def pump(done: Callable[[], bool], seconds: float) -> None:
    """Let the window work until something holds or the time is over."""
    end = time.perf_counter() + seconds
    while not done() and time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
