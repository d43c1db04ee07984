"""The demo's pictures: the sample scene, what each prompt finds in it, and all on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap.files.overlays import contact_sheet, write_picture
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.files.run_results import Request, claim_folder

if TYPE_CHECKING:
    from pathlib import Path

    from napari_clip_heatmap.files.run_results import Done

__all__ = ["prepare_showcase", "write_showcase"]

SAMPLE_NAME = "sample.png"
SHEET_NAME = "contact_sheet.png"


def prepare_showcase(folder: Path) -> Request:
    """Draw the sample into a folder and ask for its heatmaps.

    Parameters
    ----------
    folder : Path
        Where everything goes; a former demo in it is replaced, anything else is not.

    Returns
    -------
    Request
        The bundled model's run over the sample.

    Raises
    ------
    OutputError
        If the folder cannot be made or holds something else.
    """
    from napari_clip_heatmap.scenes import SAMPLE_PROMPTS, sample_scene

    sample = folder / SAMPLE_NAME
    request = Request(images=(sample,), prompts=tuple(SAMPLE_PROMPTS), output=folder)
    claim_folder(request, overwrite=False, extra=(SAMPLE_NAME, SHEET_NAME))
    write_picture(sample, sample_scene())
    return request


def write_showcase(done: Done) -> Path:
    """Write each heatmap in colours, and a sheet of the sample, the heatmaps and the overlays.

    Parameters
    ----------
    done : Done
        The sample's results.

    Returns
    -------
    Path
        The sheet.
    """
    folder = done.source.parent
    heatmaps = list(done.heatmaps.jet())
    for name, picture in zip(done.names, heatmaps, strict=True):
        write_picture(folder / f"{name}_heatmap.png", picture)
    sample = read_image(done.source)
    prompts = list(done.heatmaps.prompts)
    sheet = contact_sheet(
        [sample, *heatmaps, sample, *done.overlays],
        ["sample", *prompts, "sample", *(f"{prompt} (overlay)" for prompt in prompts)],
        columns=1 + len(prompts),
    )
    path = folder / SHEET_NAME
    write_picture(path, sheet)
    return path
