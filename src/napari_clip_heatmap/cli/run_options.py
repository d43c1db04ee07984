"""The options of ``clip-heatmap run``, each with its help; other commands take some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_clip_heatmap.cli.completion import complete_sets, complete_templates, complete_views
from napari_clip_heatmap.pipeline.score_registry import SCORES, Score

__all__ = [
    "Baseline",
    "Cache",
    "Channel",
    "Config",
    "Csv",
    "Downsample",
    "Examples",
    "Format",
    "Heads",
    "ImageSize",
    "Inputs",
    "Inside",
    "IntoSource",
    "Layers",
    "Mpp",
    "NoOverlay",
    "Objects",
    "Output",
    "Overwrite",
    "Page",
    "Part",
    "Prompt",
    "PromptSet",
    "QualityName",
    "Recursive",
    "Scheduler",
    "ScoreName",
    "Series",
    "StopOnError",
    "Templates",
    "Threshold",
    "Time",
    "TlsCa",
    "TlsCert",
    "TlsKey",
    "ViewMode",
    "Workers",
    "Write",
    "Z",
]


def _use_settings_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take the values of a file for options that the command line does not give."""
    if path is None:
        return None
    from napari_clip_heatmap.batch.job_settings_file import read_settings_file

    names = {
        option.removeprefix("--"): str(each.name)
        for each in context.command.params
        for option in each.opts
        if not (option.startswith("-") and not option.startswith("--"))
    }
    read = read_settings_file(path, set(names), context.command.name)
    values: dict[str, Any] = {names[name]: value for name, value in read.items()}
    context.default_map = {**(context.default_map or {}), **values}
    return path


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT...",
        help="Files, folders, globs: TIFF and OME-TIFF, slides, OME-Zarr images, wells and "
        "plates, NPY, PNG, JPEG ...",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        is_eager=True,
        callback=_use_settings_file,
        help="A run.yaml of an earlier job: its settings, unless other options say otherwise.",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results: the job.")]
Recursive = Annotated[
    bool, typer.Option("--recursive", help="Look into folders within folders, too.")
]
Prompt = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt",
        "-p",
        help="What to look for; may be repeated. 'nuclei | cell nuclei' are names of one "
        "thing, 'nuclei - background' is contrasted.",
    ),
]
PromptSet = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        autocompletion=complete_sets,
        help="A set of prompts: a YAML, CSV or TXT file, or one that is shipped.",
    ),
]
Examples = Annotated[
    list[str] | None,
    typer.Option(
        "--example",
        metavar="NAME=IMAGE:POINTS.csv",
        help="A prompt made from places in an image, or in an encoding; may be repeated. The CSV "
        "has the columns y and x in pixels, and for places that do not show the thing a column "
        "sign with + and -. NAME=FILE.yaml takes a saved example.",
    ),
]
ScoreName = Annotated[
    Score,
    typer.Option(
        "--score", help="; ".join(f"{name}: {each.help}" for name, each in SCORES.items())
    ),
]
Baseline = Annotated[
    list[str] | None, typer.Option(help="A prompt to contrast with; may be repeated.")
]
Templates = Annotated[
    list[str] | None,
    typer.Option(
        autocompletion=complete_templates,
        help="Sentences around the words: the name of a set (plain, photo, fluorescence, "
        "brightfield, histology, electron microscopy), or your own with {}; may be repeated.",
    ),
]
ViewMode = Annotated[
    str | None,
    typer.Option(
        "--view",
        metavar="percentile|min-max|raw|LOW,HIGH",
        autocompletion=complete_views,
        help="Which values are shown as black and white. By default 8-bit images stay as they "
        "are, and other types are scaled to the range of their values, without hot pixels and "
        "no-data values.",
    ),
]
Page = Annotated[
    int | None,
    typer.Option(min=0, help="One page, frame or plane of files that hold several; from 0."),
]
Series = Annotated[
    int | None, typer.Option(min=0, help="One series of a TIFF, such as a position; from 0.")
]
Channel = Annotated[
    str | None,
    typer.Option(
        help="A channel, from 0; three as red, green and blue: 2,0,1; or any number, each in its "
        "color: 0:blue,2:#ff8800."
    ),
]
Time = Annotated[int | None, typer.Option(min=0, help="One time point, from 0; by default all.")]
Z = Annotated[
    int | None, typer.Option("--z", min=0, help="One focal plane, from 0; by default all.")
]
Downsample = Annotated[
    str,
    typer.Option(
        help="Image pixels per pixel the model sees, or auto; below 1 the image is enlarged."
    ),
]
Mpp = Annotated[
    float | None,
    typer.Option(
        min=1e-4,
        help="Micrometers per pixel the model sees, by the image's own pixel size; instead of "
        "--downsample.",
    ),
]
QualityName = Annotated[
    Literal["standard", "fine", "finest"],  # `Quality`, whose module would import NumPy
    typer.Option(
        "--quality",
        help="standard: a value per patch; fine: 2 x 2, from tiles shifted by half a patch, in 4 "
        "times the time; finest: 4 x 4, in 16 times.",
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Side in pixels of a tile, a multiple of the patch size. Larger tiles give the "
        "model more context; its position embeddings are interpolated to fit. Default: the size "
        "that the model was trained at.",
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(help="Show what these layers contribute, such as 3,5 or L3,L5; by default all."),
]
Heads = Annotated[
    str | None,
    typer.Option(help="Show what these heads contribute, such as 0,7 or L3H0; by default all."),
]
Inside = Annotated[
    str | None,
    typer.Option(
        metavar="tissue|labels:FILE",
        help="Encode only where there is tissue, or where a label image is not 0, and skip the "
        "rest.",
    ),
]
IntoSource = Annotated[
    bool,
    typer.Option(
        "--into-source",
        help="Write labels into the images' own OME-Zarr stores, next to the images; never over "
        "labels that are not this job's, unless --overwrite is given.",
    ),
]
Write = Annotated[
    str,
    typer.Option(
        help="What to write, with commas: maps (float32), overlays (PNG), labels, points, shapes "
        "(CSV for napari), geojson (for QuPath), table (CSV), encodings (for further prompts)."
    ),
]
NoOverlay = Annotated[bool, typer.Option("--no-overlay", help="Take overlays out of --write.")]
Csv = Annotated[
    bool, typer.Option("--csv", help="Add table, the objects of each image, to --write.")
]
Format = Annotated[
    str, typer.Option("--format", metavar="tif|ome-zarr", help="Format of maps and labels.")
]
Threshold = Annotated[
    str,
    typer.Option(
        help="What is an object: otsu, yen, triangle, quantile:0.9, or a value of the map."
    ),
]
Objects = Annotated[
    str | None,
    typer.Option(
        help="Labels of objects that are there already, to be named by the prompts: a file, or a "
        "folder of files named like the images. Adds table to --write."
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace results of other settings in the folder."),
]
Cache = Annotated[bool, typer.Option(help="Keep encodings on disk, and use them.")]
StopOnError = Annotated[
    bool, typer.Option("--stop-on-error", help="Stop at the first image that fails.")
]
Workers = Annotated[
    int,
    typer.Option(
        min=1, help="Processes on this machine that share the work; each loads the model."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT",
        help="A Dask scheduler whose workers do the work. They need this package, the images and "
        "the output folder under the same paths. Whoever can reach a scheduler can run code on "
        "it: use --tls-* outside of a trusted network.",
    ),
]
TlsCa = Annotated[
    str | None, typer.Option(help="Certificate authority of the scheduler (PEM); tls://HOST:PORT.")
]
TlsCert = Annotated[str | None, typer.Option(help="Own certificate for the scheduler (PEM).")]
TlsKey = Annotated[str | None, typer.Option(help="Own key for the scheduler (PEM).")]
Part = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Do the I-th of N parts, from 1: for array jobs, all with the same other options. "
        "Then: clip-heatmap gather OUTPUT.",
    ),
]
