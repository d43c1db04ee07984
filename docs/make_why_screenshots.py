"""Make the pictures of docs/why-here.md: a real viewer, driven as a user would.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_why_screenshots.py``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from viewer_waits import picture, run_scene, wait_until

from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.views.why.why_view import LEFT_OUT

PROMPTS = ["nuclei", "filaments", "vesicles", "bacteria"]
PLACE = (250, 300)


def main() -> None:
    """Run the drawn scene, explain a place, show a head and leave a layer out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--theme", default="dark")
    options = parser.parse_args()

    viewer, dock = run_scene(PROMPTS, options.theme)
    view = dock["why_grid"].view
    dock.open_section(ControlSection.WHY)
    dock.state.clicked = ((), float(PLACE[0]), float(PLACE[1]))
    wait_until(lambda: view.grid.figures is not None)
    strongest = abs(view.grid.figures.values)
    layer, head = divmod(int(strongest.argmax()), strongest.shape[1])
    view.grid.select(frozenset({(layer, head)}))
    view.grid.selection_changed.emit()
    wait_until(lambda: view.outcome.text().startswith("Layer"))
    picture(viewer, options.output / "why-here-grid.png")

    view.mode.setCurrentText(LEFT_OUT)
    view.grid.select(frozenset((layer, number) for number in range(strongest.shape[1])))
    view.grid.selection_changed.emit()
    wait_until(lambda: "without these heads" in view.outcome.text())
    picture(viewer, options.output / "why-here-left-out.png")
    viewer.close()


if __name__ == "__main__":
    main()
