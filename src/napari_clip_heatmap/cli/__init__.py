"""The command ``clip-heatmap``: thin commands over the library.

Nothing heavy is imported before a command needs it, so that ``--help`` and a mistyped path answer
at once.
"""

from __future__ import annotations

from napari_clip_heatmap.cli import (
    cache_commands,
    evaluation_commands,
    image_commands,
    model_commands,
)
from napari_clip_heatmap.cli.application import app, main

__all__ = ["app", "main", "open_viewer"]

# The order in which the help lists them.
for _commands in (image_commands, model_commands, cache_commands, evaluation_commands):
    _commands.register(app)


def open_viewer() -> str | None:
    """Open napari with the demo; without a display, return why there is none.

    The one place of the command line that imports the viewer.

    Examples
    --------
    >>> obstacle = open_viewer()  # doctest: +SKIP
    """
    from napari_clip_heatmap._napari.demo import open_demo, why_no_display

    obstacle = why_no_display()
    if obstacle is None:
        open_demo()
    return obstacle
