"""The command ``clip-heatmap``: thin commands over the library.

Nothing heavy is imported before a command needs it, so that ``--help`` and a mistyped path answer
at once.
"""

from __future__ import annotations

from napari_clip_heatmap.cli.application import app, main
from napari_clip_heatmap.cli.cache_commands import add_cache_commands
from napari_clip_heatmap.cli.demo_command import add_demo_command
from napari_clip_heatmap.cli.evaluation_commands import add_evaluation_commands
from napari_clip_heatmap.cli.gather_command import add_gather_command
from napari_clip_heatmap.cli.model_commands import add_model_commands
from napari_clip_heatmap.cli.run_command import add_run_command

__all__ = ["app", "main", "open_viewer"]

# In the order in which the help lists them.
add_run_command(app)
add_gather_command(app)
add_demo_command(app)
add_model_commands(app)
add_cache_commands(app)
add_evaluation_commands(app)


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
