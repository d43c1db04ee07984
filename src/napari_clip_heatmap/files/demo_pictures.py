"""The demo's pictures: the sample scene, what each prompt finds in it, and all on one sheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap.files.overlays import contact_sheet, write_picture
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.files.run_request import RunRequest, claim_folder

if TYPE_CHECKING:
    from napari_clip_heatmap.files.run_results import ImageResult

__all__ = ["prepare_demo", "write_demo"]

SAMPLE_NAME = "sample.png"
SHEET_NAME = "contact_sheet.png"


def prepare_demo(folder: Path) -> RunRequest:
    """Draw the sample into a folder and return the run that makes its heatmaps.

    Parameters
    ----------
    folder : Path
        Where everything goes; an earlier demo in it is replaced, anything else is not.

    Returns
    -------
    RunRequest
        The bundled model's run over the sample.

    Raises
    ------
    OutputError
        The folder cannot be made or holds something else.

    Examples
    --------
    >>> request = prepare_demo(Path("demo"))  # doctest: +SKIP
    """
    from napari_clip_heatmap.scenes import SAMPLE_PROMPTS, sample_scene

    sample = folder / SAMPLE_NAME
    request = RunRequest(images=(sample,), prompts=tuple(SAMPLE_PROMPTS), output=folder)
    claim_folder(request, overwrite=False, extra=(SAMPLE_NAME, SHEET_NAME))
    write_picture(sample, sample_scene())
    return request


def write_demo(result: ImageResult) -> Path:
    """Write each heatmap in colors, and a sheet of the sample, the heatmaps and the overlays.

    Parameters
    ----------
    result : ImageResult
        The sample's results.

    Returns
    -------
    Path
        The sheet.

    Examples
    --------
    >>> write_demo(result).name  # doctest: +SKIP
    'contact_sheet.png'
    """
    folder = result.source.parent
    heatmaps = list(result.heatmaps.jet())
    for name, picture in zip(result.names, heatmaps, strict=True):
        write_picture(folder / f"{name}_heatmap.png", picture)
    sample = read_image(result.source)
    prompts = list(result.heatmaps.prompts)
    sheet = contact_sheet(
        [sample, *heatmaps, sample, *result.overlays],
        ["sample", *prompts, "sample", *(f"{prompt} (overlay)" for prompt in prompts)],
        columns=1 + len(prompts),
    )
    path = folder / SHEET_NAME
    write_picture(path, sheet)
    return path
