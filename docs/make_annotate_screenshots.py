"""Make the pictures of docs/annotate.md: a real viewer, driven as a user would.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_annotate_screenshots.py``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari
from viewer_waits import pause, picture, run_scene, wait_until

from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.widget import HeatmapWidget

PROMPTS = ["nuclei", "filaments", "vesicles", "bacteria"]


def main() -> None:
    """Run the drawn scene, then walk through the sections, and write a picture of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().output

    viewer, dock = run_scene(PROMPTS)
    dock.open_section(ControlSection.ANNOTATE)
    wait_until(lambda: bool(dock.state.annotation.counts))
    show(dock, "make_objects")
    picture(viewer, folder / "annotate-outline.png")

    dock["outline"].value = False
    dock["objects_of"].value = "every"
    dock["split"].value = True
    make(dock, "labels_all")
    hide_heatmaps(viewer)
    picture(viewer, folder / "annotate-labels.png")

    dock.open_section(ControlSection.CLASSIFY)
    dock["classify"].native.click()
    wait_until(lambda: dock.state.annotation.classified is not None)
    dock["gate_plot"].view.histogram.gate_moved.emit(0.5)
    show(dock, "gate_plot")
    picture(viewer, folder / "annotate-classify.png")
    viewer.close()


def make(dock: HeatmapWidget, what: str) -> None:
    """Make a layer, and wait for it."""
    dock.state.message = ""
    dock.annotation.maker.make(what)
    wait_until(lambda: dock.state.message not in ("", "Making objects"))


def hide_heatmaps(viewer: napari.Viewer) -> None:
    """Show the image and the objects alone."""
    for layer in viewer.layers:
        layer.visible = layer.name not in PROMPTS


def show(dock: HeatmapWidget, name: str) -> None:
    """Scroll the dock to a control."""
    native = dock[name].native
    area = native.parentWidget()
    while area is not None and not hasattr(area, "ensureWidgetVisible"):
        area = area.parentWidget()
    pause(0.3)
    if area is not None:
        area.ensureWidgetVisible(native)


if __name__ == "__main__":
    main()
