"""From a click that shows an example to the repainted map, in a real viewer; target <= 150 ms.

Run it where a window can open, or under Xvfb: ``xvfb-run -s "-screen 0 1600x1200x24" python
benchmarks/example_click.py``. An image of 2048 x 2048 is encoded with five prompts, an example is
begun, and places are clicked on the canvas; printed is the time from each press of the button until
the canvas was drawn with the map of the example that counts this click, and until the figures of
that map were known, compared with what napari alone needs to add a point and draw.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
from keystroke import Drawn, encoded_viewer, pump  # first: it gives napari settings of its own
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_clip_heatmap._napari.controllers.examples.example_layer import make_points
from napari_clip_heatmap._napari.controllers.layers import METADATA_KEY, heatmaps_by_row
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
    alone = points_alone(viewer, widget, side)
    QTest.mouseClick(widget["new_example"].native, Qt.MouseButton.LeftButton)
    pump(lambda: False, 1)
    maps, figures = clicks(viewer, widget, side)
    viewer.close()
    print(f"napari alone, a point of a layer of its own: {spread(alone)}")
    print(f"first click, which adds the layer: {1000 * maps[0]:.0f} ms")
    print(f"a later click, to its map: {spread(maps[1:])}")
    print(f"a later click, to its figures: {spread(figures[1:])}")


def spread(taken: list[float]) -> str:
    """Return median and worst."""
    taken = [1000 * each for each in taken]
    return f"median {statistics.median(taken):.0f} ms, worst {max(taken):.0f} ms"


def points_alone(viewer: Any, widget: Any, side: int) -> list[float]:
    """Click on places for a layer of points that belongs to no row; return how long each took."""
    layer = make_points(widget.state.image, "", "alone")
    viewer.add_layer(layer)
    viewer.layers.selection.active = layer
    layer.mode = "add"
    pump(lambda: False, 1)
    taken, drawn = [], Drawn(viewer)
    for number, (y, x) in enumerate(places(side)):
        taken.append(
            drawn.after(
                lambda y=y, x=x: press(viewer, y, x),
                lambda count=number + 1: len(layer.data) == count,
            )
        )
        pump(lambda: False, 0.5)
    viewer.layers.remove(layer)
    return taken[1:]


def clicks(viewer: Any, widget: Any, side: int) -> tuple[list[float], list[float]]:
    """Click on places; return how long each took to be seen, and until its figures were there."""
    drawn, maps, figures = Drawn(viewer), [], []
    for number, (y, x) in enumerate(places(side)):
        begun = time.perf_counter()
        maps.append(
            drawn.after(
                lambda y=y, x=x: press(viewer, y, x),
                lambda count=number + 1: shown_clicks(viewer, widget) == count,
            )
        )
        pump(lambda count=number + 1: known_clicks(widget) == count, 20)
        figures.append(time.perf_counter() - begun)
        pump(lambda: False, 1)
    return maps, figures


def places(side: int) -> Any:
    """Return where to click, in image pixels."""
    return np.random.default_rng(0).uniform(0.2 * side, 0.8 * side, (CLICKS, 2))


def press(viewer: Any, y: float, x: float) -> None:
    """Click on a place of the image."""
    native = viewer.window._qt_viewer.canvas.native
    center = np.array([native.height(), native.width()]) / 2
    camera = getattr(viewer, "scene", viewer).camera
    spot = (np.array([y, x]) - camera.center[-2:]) * camera.zoom + center
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=QPoint(round(spot[1]), round(spot[0])))


def shown_clicks(viewer: Any, widget: Any) -> int:
    """Return how many clicks the map of the example on the canvas counts, by its own record."""
    maps = heatmaps_by_row(viewer, widget.state.image)
    for row in widget["prompts"].model.rows:
        if row.example is not None and row.key in maps:
            examples = maps[row.key].metadata[METADATA_KEY]["examples"]
            return sum(each["positive"] for each in examples if each["name"] == row.prompt)
    return 0


def known_clicks(widget: Any) -> int:
    """Return how many clicks the latest result counts, with its figures."""
    examples = widget.state.result.result.scoring.examples
    return sum(each.positive for each in examples.values())


if __name__ == "__main__":
    main()
