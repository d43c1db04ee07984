"""From a click that shows an example to the repainted map, in a real viewer; target <= 150 ms.

Run it where a window can open, or under Xvfb: ``xvfb-run -s "-screen 0 1600x1200x24" python
benchmarks/example_click.py``. An image of 2048 x 2048 is encoded with five prompts, an example is
begun, and places are clicked on the canvas; printed is the time from each press of the button until
the canvas was drawn with the map of the example that counts this click.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np
from keystroke import Drawn, encoded_viewer, pump  # first: it gives napari settings of its own
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.views.control_spec import ControlSection

CLICKS = 12


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    side = parser.parse_args().side
    viewer, widget = encoded_viewer(side)
    widget.open_section(ControlSection.EXAMPLES)
    viewer.reset_view()
    pump(lambda: False, 1)
    QTest.mouseClick(widget["new_example"].native, Qt.MouseButton.LeftButton)
    pump(lambda: False, 1)
    taken = clicks(viewer, widget, side)
    viewer.close()
    first, later = 1000 * taken[0], [1000 * each for each in taken[1:]]
    print(f"first click, which adds the layer: {first:.0f} ms")
    print(f"a later click: median {statistics.median(later):.0f} ms, worst {max(later):.0f} ms")


def clicks(viewer: Any, widget: Any, side: int) -> list[float]:
    """Click on places; return how long each took to be seen."""
    drawn, taken = Drawn(viewer), []
    rng = np.random.default_rng(0)
    for number in range(CLICKS):
        y, x = rng.uniform(0.2 * side, 0.8 * side, 2)
        taken.append(
            drawn.after(
                lambda y=y, x=x: press(viewer, y, x),
                lambda count=number + 1: shown_clicks(viewer, widget) == count,
            )
        )
        pump(lambda: False, 1)
    return taken


def press(viewer: Any, y: float, x: float) -> None:
    """Click on a place of the image."""
    native = viewer.window._qt_viewer.canvas.native
    center = np.array([native.height(), native.width()]) / 2
    camera = getattr(viewer, "scene", viewer).camera
    spot = (np.array([y, x]) - camera.center[-2:]) * camera.zoom + center
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=QPoint(round(spot[1]), round(spot[0])))


def shown_clicks(viewer: Any, widget: Any) -> int:
    """Return how many clicks the map of the example on the canvas counts."""
    maps = heatmaps_by_row(viewer, widget.state.image)
    for row in widget["prompts"].model.rows:
        if row.example is not None and row.key in maps and widget.state.result is not None:
            shown = widget.state.result.result.scoring.examples.get(row.prompt)
            return 0 if shown is None else shown.positive
    return 0


if __name__ == "__main__":
    main()
