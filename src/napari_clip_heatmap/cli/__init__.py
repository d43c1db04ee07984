"""The command ``clip-heatmap``: thin commands over the library.

Nothing heavy is imported before a command needs it, so that ``--help`` and a mistyped path answer
at once.
"""

from __future__ import annotations

from napari_clip_heatmap.cli.application import app, main
from napari_clip_heatmap.cli.cache_commands import add_cache_commands
from napari_clip_heatmap.cli.demo_command import add_demo_command
from napari_clip_heatmap.cli.doctor_command import add_doctor_command
from napari_clip_heatmap.cli.encoding_commands import add_encoding_commands
from napari_clip_heatmap.cli.evaluation_commands import add_evaluation_commands
from napari_clip_heatmap.cli.gather_command import add_gather_command
from napari_clip_heatmap.cli.heads_command import add_heads_command
from napari_clip_heatmap.cli.model_commands import add_model_commands
from napari_clip_heatmap.cli.run_command import add_run_command

__all__ = ["app", "display_obstacle", "main", "open_viewer"]

# In the order in which the help lists them.
add_run_command(app)
add_encoding_commands(app)
add_gather_command(app)
add_demo_command(app)
add_model_commands(app)
add_cache_commands(app)
add_evaluation_commands(app)
add_heads_command(app)
add_doctor_command(app)


def open_viewer() -> str | None:
    """Open napari with the demo; without a display, return why there is none.

    With `display_obstacle` the one place of the command line that imports the viewer.

    Examples
    --------
    >>> obstacle = open_viewer()  # doctest: +SKIP
    """
    from napari_clip_heatmap._napari.demo import open_demo

    obstacle = display_obstacle()
    if obstacle is None:
        open_demo()
    return obstacle


def display_obstacle() -> str | None:
    """Return why no window can open here; None where one can.

    Examples
    --------
    >>> obstacle = display_obstacle()  # doctest: +SKIP
    """
    from napari_clip_heatmap._napari.demo import why_no_display

    return why_no_display()
