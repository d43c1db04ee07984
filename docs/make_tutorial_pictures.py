"""Make the pictures of the tutorials, and the moving one: a real viewer, driven as a reader would.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_tutorial_pictures.py``
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit
from viewer_waits import frame, open_window, pause, picture, wait_until

from napari_clip_heatmap._napari.demo import PLUGIN
from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.views.prompt_model import PromptColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget

DOCS = Path(__file__).parent
SIZE = (1360, 850)
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


def main() -> None:
    """Take one picture, or all, each in a process and with settings of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", choices=(*PICTURES, "moving"))
    parser.add_argument("--taken", action="store_true", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.taken:
        take(settings.picture)
        return
    for name in [settings.picture] if settings.picture else (*PICTURES, "moving"):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "NAPARI_CONFIG": f"{folder}/napari.yaml"}
            command = [sys.executable, __file__, "--picture", name, "--taken"]
            subprocess.run(command, env=environment, check=True)


def take(name: str) -> None:
    """Open the sample and the dock, run, and write what the window shows."""
    if name == "moving":
        take_moving(DOCS / "moving.gif")
        return
    wanted = PICTURES[name]
    viewer, dock = begin(wanted.sample, wanted.prompts, SIZE)
    wanted.before(viewer, dock)
    run(dock)
    wanted.after(viewer, dock)
    picture(viewer, DOCS / "pictures" / f"{name}.png")
    viewer.close()


def begin(
    sample: str, prompts: tuple[str, ...], size: tuple[int, int]
) -> tuple[napari.Viewer, HeatmapWidget]:
    """Open a window with a sample and the dock."""
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
    dock.state.message = ""
    dock.annotation.maker.make("labels_all")
    wait_until(lambda: dock.state.message not in ("", "Making objects"))
    for layer in viewer.layers:
        layer.visible = layer.name not in dock["prompts"].value


BLOOD = ("red blood cells", "white blood cells", "platelets")
PICTURES = {
    "channels": Picture("fluorescence_channels", ("nuclei", "mitochondria", "filaments")),
    "stack": Picture("z_stack", ("nuclei", "filaments"), before=to_plane_of_nuclei),
    "tissue": Picture("stained_tissue", ("nuclei", "tissue", "background", "filaments")),
    "blood": Picture("blood_smear", BLOOD, after=make_labels),
    "region": Picture("drawn_scene", ("nuclei", "filaments", "vesicles"), before=draw_rectangle),
}


def take_moving(path: Path) -> None:
    """Type several words into the first row, letter by letter, and write the frames."""
    viewer, dock = begin("drawn_scene", (TYPED[0], "bacteria", "background"), FRAME)
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
    main()
