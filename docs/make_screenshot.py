"""Make the pictures of the docs: napari with the sample, its heatmaps and the docked widget.

Run it where a window can open, or under Xvfb:
``xvfb-run -s "-screen 0 2800x1800x24" python docs/make_screenshot.py``
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from napari.settings import get_settings
from viewer_pictures import SIZE, Shot, open_window, pause, picture, take_each, wait_until

from napari_clip_heatmap._napari.demo import begin_demo

DOCS = Path(__file__).parent


@dataclass(frozen=True)
class Appearance:
    """How the window looks in one picture."""

    path: Path
    size: tuple[int, int] = SIZE
    theme: str = "dark"
    font: int = 0
    density: int = 1
    view: str = ""
    tab: str = "View"


PICTURES = {
    "readme": Appearance(DOCS / "screenshot.png"),
    "small": Appearance(DOCS / "screenshots/small.png", size=(1280, 720)),
    "light": Appearance(DOCS / "screenshots/light.png", theme="light"),
    "large_font": Appearance(DOCS / "screenshots/large_font.png", font=16, size=(1600, 1000)),
    "dense": Appearance(DOCS / "screenshots/dense.png", density=2, size=(1280, 720)),
    "compare": Appearance(DOCS / "screenshots/compare.png", view="compare", tab="Maps"),
    "best": Appearance(DOCS / "screenshots/best.png", view="best", tab="Maps"),
}


def take(wanted: Appearance) -> None:
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
    take_each(
        __file__,
        {name: Shot(partial(take, wanted), wanted.density) for name, wanted in PICTURES.items()},
    )
