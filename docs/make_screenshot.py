"""Make the pictures of the docs: napari with the sample, its heatmaps and the docked widget.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 2800x1800x24" python docs/make_screenshot.py --all``
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from napari.settings import get_settings
from viewer_waits import open_window, pause, picture, wait_until

from napari_clip_heatmap._napari.demo import begin_demo

DOCS = Path(__file__).parent


@dataclass(frozen=True)
class Picture:
    """How one picture is taken."""

    path: Path
    size: tuple[int, int] = (1360, 850)
    theme: str = "dark"
    font: int = 0
    density: int = 1
    view: str = ""
    tab: str = "View"


PICTURES = {
    "readme": Picture(DOCS / "screenshot.png"),
    "small": Picture(DOCS / "screenshots/small.png", size=(1280, 720)),
    "light": Picture(DOCS / "screenshots/light.png", theme="light"),
    "large_font": Picture(DOCS / "screenshots/large_font.png", font=16, size=(1600, 1000)),
    "dense": Picture(DOCS / "screenshots/dense.png", density=2, size=(1280, 720)),
    "compare": Picture(DOCS / "screenshots/compare.png", view="compare", tab="Maps"),
    "best": Picture(DOCS / "screenshots/best.png", view="best", tab="Maps"),
}


def main() -> None:
    """Take one picture, or all, each in a process and with settings of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--picture", choices=PICTURES, default="readme")
    parser.add_argument("--taken", action="store_true", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.taken:
        take(PICTURES[settings.picture])
        return
    for name in PICTURES if settings.all else (settings.picture,):
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                **os.environ,
                "NAPARI_CONFIG": f"{folder}/napari.yaml",
                "QT_SCALE_FACTOR": str(PICTURES[name].density),
            }
            command = [sys.executable, __file__, "--picture", name, "--taken"]
            subprocess.run(command, env=environment, check=True)


def take(wanted: Picture) -> None:
    """Open the demo, wait for its heatmaps and verdicts, write the picture."""
    appearance = get_settings().appearance
    appearance.theme = wanted.theme
    if wanted.font:
        appearance.font_size = wanted.font
    viewer = open_window(wanted.size)
    widget = begin_demo(viewer)
    widget.tabs.open(wanted.tab)
    wait_until(
        lambda: widget.state.result is not None and widget.state.result.assessment is not None
    )
    if wanted.view:
        widget[wanted.view].value = True
        pause(2)
    viewer.reset_view()
    picture(viewer, wanted.path)
    viewer.close()


if __name__ == "__main__":
    main()
