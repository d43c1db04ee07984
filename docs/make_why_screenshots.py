"""Make the pictures of docs/why-here.md: a real viewer, driven as a user would.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_why_screenshots.py``
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from viewer_pictures import Shot, open_sample, picture, run, take_each, wait_until

from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.views.why.why_view import LEFT_OUT

DOCS = Path(__file__).parent
PROMPTS = ("filaments", "nuclei")


def take() -> None:
    """Ask why tissue is taken for filaments: at the strongest place; a head; without a layer."""
    viewer, dock = open_sample("stained_tissue", PROMPTS, (1360, 900))
    run(dock)
    heat = np.asarray(viewer.layers[PROMPTS[0]].data)
    y, x = np.unravel_index(np.nanargmax(heat), heat.shape)
    view = dock["why_grid"].view
    dock.open_section(ControlSection.WHY)
    dock.state.clicked = ((), float(y), float(x))
    wait_until(lambda: view.grid.figures is not None)
    strongest = abs(view.grid.figures.values)
    layer, head = divmod(int(strongest.argmax()), strongest.shape[1])
    view.grid.select(frozenset({(layer, head)}))
    view.grid.selection_changed.emit()
    wait_until(lambda: view.outcome.text().startswith("Layer"))
    picture(viewer, DOCS / "why-here-grid.png")

    view.mode.setCurrentText(LEFT_OUT)
    view.grid.select(frozenset((layer, number) for number in range(strongest.shape[1])))
    view.grid.selection_changed.emit()
    wait_until(lambda: "without these heads" in view.outcome.text())
    picture(viewer, DOCS / "why-here-left-out.png")
    viewer.close()


if __name__ == "__main__":
    take_each(__file__, {"why-here": Shot(take)})
