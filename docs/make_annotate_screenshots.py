"""Make the pictures of docs/annotate.md: a real viewer, driven as a user would.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_annotate_screenshots.py``
"""

from __future__ import annotations

from pathlib import Path

from viewer_pictures import (
    Shot,
    hide_heatmaps,
    make_objects,
    open_sample,
    pause,
    picture,
    run,
    take_each,
    wait_until,
)

from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.widget import HeatmapWidget

DOCS = Path(__file__).parent
PROMPTS = ("nuclei", "filaments", "vesicles", "bacteria")
SIZE = (1360, 900)


def take_outline() -> None:
    """Show the outline of a threshold on real nuclei."""
    viewer, dock = open_sample("fluorescent_nuclei", ("nuclei", "filaments", "bacteria"), SIZE)
    run(dock)
    dock.open_section(ControlSection.ANNOTATE)
    wait_until(lambda: bool(dock.state.annotation.counts))
    dock["outline"].value = True
    show(dock, "make_objects")
    picture(viewer, DOCS / "annotate-outline.png")
    viewer.close()


def take_labels_and_classes() -> None:
    """Make labels of every prompt of the drawn scene, then name them by words."""
    viewer, dock = open_sample("drawn_scene", PROMPTS, SIZE)
    run(dock)
    dock.open_section(ControlSection.ANNOTATE)
    wait_until(lambda: bool(dock.state.annotation.counts))
    dock["outline"].value = False
    dock["objects_of"].value = "every"
    dock["split"].value = True
    make_objects(dock, "labels_all")
    hide_heatmaps(viewer, dock)
    picture(viewer, DOCS / "annotate-labels.png")

    dock.open_section(ControlSection.CLASSIFY)
    dock["classify"].native.click()
    wait_until(lambda: dock.state.annotation.classified is not None)
    dock["gate_plot"].view.histogram.gate_moved.emit(0.5)
    show(dock, "gate_plot")
    picture(viewer, DOCS / "annotate-classify.png")
    viewer.close()


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
    take_each(__file__, {"outline": Shot(take_outline), "labels": Shot(take_labels_and_classes)})
