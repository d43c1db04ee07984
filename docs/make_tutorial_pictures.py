"""Make the pictures of the tutorials, and the moving one: a real viewer, driven as a reader would.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_tutorial_pictures.py``
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit
from viewer_pictures import (
    Shot,
    frame,
    hide_heatmaps,
    make_objects,
    open_sample,
    pause,
    picture,
    run,
    take_each,
    wait_until,
)

from napari_clip_heatmap._napari.controllers.examples.example_layer import set_sign
from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.views.examples.example_controls import NEGATIVE, POSITIVE
from napari_clip_heatmap._napari.views.prompt_model import PromptColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget

DOCS = Path(__file__).parent
FRAME = (900, 640)
TYPED = ("nuclei", "actin filaments", "vesicles")
"""What the moving picture types into its first row, one after the other."""


@dataclass(frozen=True)
class Picture:
    """A sample, its prompts, and what is done before the picture is taken."""

    sample: str
    prompts: tuple[str, ...]
    before: Callable[[napari.Viewer, HeatmapWidget], None] = field(
        default=lambda viewer, dock: None
    )
    after: Callable[[napari.Viewer, HeatmapWidget], None] = field(default=lambda viewer, dock: None)


def take(name: str) -> None:
    """Open the sample and the dock, run, and write what the window shows."""
    wanted = PICTURES[name]
    viewer, dock = open_sample(wanted.sample, wanted.prompts)
    wanted.before(viewer, dock)
    run(dock)
    wanted.after(viewer, dock)
    picture(viewer, DOCS / "pictures" / f"{name}.png")
    viewer.close()


def to_plane_of_nuclei(viewer: napari.Viewer, dock: HeatmapWidget) -> None:
    """Move the slider to the plane in which nuclei are in focus."""
    viewer.dims.set_point(0, 1)
    dock.open_section(ControlSection.REGION)


def draw_rectangle(viewer: napari.Viewer, dock: HeatmapWidget) -> None:
    """Ask only a part."""
    dock.open_section(ControlSection.REGION)
    dock["draw"].native.click()
    corners = [[60, 60], [60, 330], [300, 330], [300, 60]]
    viewer.layers[-1].add_rectangles([corners])
    pause(0.5)


def make_labels(viewer: napari.Viewer, dock: HeatmapWidget) -> None:
    """Make labels of every prompt, and show them alone."""
    dock.open_section(ControlSection.ANNOTATE)
    wait_until(lambda: bool(dock.state.annotation.counts))
    dock["objects_of"].value = "every"
    dock["outline"].value = False
    make_objects(dock, "labels_all")
    hide_heatmaps(viewer, dock)


def make_nuclei(viewer: napari.Viewer, dock: HeatmapWidget) -> None:
    """Make labels of the nuclei, outlined by the image."""
    dock.open_section(ControlSection.ANNOTATE)
    wait_until(lambda: bool(dock.state.annotation.counts))
    dock["split"].value = True
    dock["outline"].value = False
    make_objects(dock, "labels")
    hide_heatmaps(viewer, dock)


def click_mitoses(viewer: napari.Viewer, dock: HeatmapWidget) -> None:
    """Make an example of three dividing nuclei, and of three others that do not show it."""
    dock.open_section(ControlSection.EXAMPLES)
    dock["new_example"].native.click()
    layer = viewer.layers.selection.active
    for places, sign in ((DIVIDING, POSITIVE), (NOT_DIVIDING, NEGATIVE)):
        set_sign(layer, sign)
        for place in places:
            layer.add(place)
            pause(1)
    wait_until(lambda: not dock.live_updater.showing)
    pause(2)


DIVIDING = ((14, 267), (130, 470), (345, 72))
NOT_DIVIDING = ((255, 228), (310, 466), (160, 165))
BLOOD = ("red blood cells", "white blood cells", "platelets")
NUCLEI = ("nuclei", "filaments", "bacteria")
PICTURES = {
    "channels": Picture("fluorescence_channels", ("nuclei", "mitochondria", "filaments")),
    "stack": Picture("z_stack", ("nuclei", "filaments"), before=to_plane_of_nuclei),
    "tissue": Picture("stained_tissue", ("nuclei", "tissue", "background", "filaments")),
    "blood": Picture("blood_smear", BLOOD, after=make_labels),
    "region": Picture("fluorescent_nuclei", NUCLEI, before=draw_rectangle),
    "nuclei": Picture("fluorescent_nuclei", NUCLEI, after=make_nuclei),
    "examples": Picture("fluorescent_nuclei", ("nuclei",), after=click_mitoses),
}


def take_moving(path: Path) -> None:
    """Type several words into the first row, letter by letter, and write the frames."""
    viewer, dock = open_sample("drawn_scene", (TYPED[0], "bacteria", "background"), FRAME)
    for panel in (
        viewer.window._qt_viewer.dockLayerControls,
        viewer.window._qt_viewer.dockLayerList,
    ):
        panel.hide()  # room for the image
    pause(0.5)
    viewer.reset_view()
    run(dock)
    pause(2)
    view = dock["prompts"].view
    frames, durations = [frame(viewer)], [1500]
    for words in (*TYPED[1:], TYPED[0]):
        if view.findChild(QLineEdit) is None:
            view.edit(view.model().index(0, PromptColumn.PROMPT))
        editor = view.findChild(QLineEdit)
        editor.selectAll()
        for letter in words:
            QTest.keyClicks(editor, letter)
            pause(0.1)
            frames.append(frame(viewer))
            durations.append(120)
        wait_until(lambda: not dock.live_updater.showing)
        pause(1.5)
        frames.append(frame(viewer))
        durations.append(1800)
    save_moving(frames, durations, path)
    viewer.close()


def save_moving(frames: list[Image.Image], durations: list[int], path: Path) -> None:
    """Write frames in one palette, so that what does not change costs nothing."""
    palette = frames[-1].quantize(96)
    reduced = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in frames]
    reduced[0].save(
        path, save_all=True, append_images=reduced[1:], duration=durations, loop=0, optimize=True
    )


if __name__ == "__main__":
    shots = {name: Shot(partial(take, name)) for name in PICTURES}
    take_each(__file__, {**shots, "moving": Shot(partial(take_moving, DOCS / "moving.gif"))})
