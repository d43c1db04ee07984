"""The command ``clip-heatmap``: thin commands over the library.

Nothing heavy is imported before a command needs it, so that ``--help`` and a mistyped path answer
at once. Exit code 0 is done, 2 is the user's mistake, told in one line on stderr.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from napari_clip_heatmap.errors import ClipHeatmapError
from napari_clip_heatmap.pipeline.score_registry import SCORES, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_clip_heatmap.files.batch import Done, Request
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["app", "main"]

USERS_MISTAKE = 2
INTERRUPTED = 130
MEGABYTE, GIGABYTE = 10**6, 10**9


class OneLineErrors(TyperGroup):
    """A command group that tells a mistake in one line instead of a traceback or a usage page."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and leave with its exit code."""
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except (ClipHeatmapError, typer.TyperException) as error:
            text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
            if text:  # empty when the help was shown for want of arguments
                typer.echo(f"clip-heatmap: {' '.join(text.split())}", err=True)
            code = USERS_MISTAKE
        sys.exit(code)


app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Model = Annotated[
    str,
    typer.Option(
        help="demo (bundled), ARCH/TAG of open_clip, hf-hub:ORG/NAME, local-dir:PATH, or "
        "ARCH/TAG@FILE for weights trained like a released model.",
    ),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        help="Where the model does not say it: openai, imagenet, half, none, or mean and deviation "
        "of the colours, r,g,b/r,g,b.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]
Precision = Annotated[
    str,
    typer.Option(help="auto, fp32, fp64, bf16, fp16; auto: half where that is fast and harmless."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Folder of labelled real images, beside the drawn scenes.",
    ),
]
Scenes = Annotated[int, typer.Option(min=1, help="Drawn scenes, never trained on.")]
Overwrite = Annotated[bool, typer.Option(help="Replace another run's results in the folder.")]


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("napari-clip-heatmap"))
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    """Ask images a question in words: one heatmap per prompt, from CLIP's exact decomposition."""


def main() -> None:
    """Run the command line."""
    app(prog_name="clip-heatmap")


@app.command()
def run(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    output: Annotated[Path, typer.Option(help="Folder for the results.")],
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            help="What to look for; may be repeated. 'nuclei | cell nuclei' are names of one "
            "thing, 'nuclei - background' is contrasted."
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(help="A set of prompts: a YAML, CSV or TXT file, or one that is shipped."),
    ] = None,
    model: Model = "demo",
    device: Device = "auto",
    precision: Precision = "auto",
    score: Annotated[
        Score,
        typer.Option(help="; ".join(f"{name}: {each.help}" for name, each in SCORES.items())),
    ] = "relative",
    baseline: Annotated[
        list[str] | None, typer.Option(help="A prompt to contrast with; may be repeated.")
    ] = None,
    templates: Annotated[
        list[str] | None,
        typer.Option(
            help="Sentences around the words: the name of a set (plain, photo, fluorescence, "
            "brightfield, histology, electron microscopy), or your own with {}; may be repeated."
        ),
    ] = None,
    downsample: Annotated[
        str, typer.Option(help="Image pixels per pixel the model sees, at least 1, or auto.")
    ] = "auto",
    image_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Side in pixels of what the model looks at in one pass, in whole patches: larger "
            "gives it more context, by interpolated positions. By default as it was trained.",
        ),
    ] = None,
    preprocess: Preprocess = None,
    overwrite: Overwrite = False,
    cache: Annotated[bool, typer.Option(help="Keep encodings on disk, and use them.")] = True,
) -> None:
    """Write heatmaps (float32 TIFF), overlays (PNG) and run.json for each image and prompt."""
    from napari_clip_heatmap.files.batch import Request, claim_folder

    words, sentences = _asked(prompt or [], prompts, templates or [])
    request = Request(
        images=tuple(dict.fromkeys(images)),
        prompts=words,
        output=output,
        model=model,
        device=device,
        precision=precision,
        score=score,
        baseline=tuple(baseline or ()),
        templates=sentences,
        downsample=_downsample(downsample),
        image_size=image_size,
        preprocess=preprocess,
    )
    for path in request.images:
        if not path.is_file():
            raise typer.BadParameter(f"there is no image file '{path}'")
    claim_folder(request, overwrite=overwrite)  # before the seconds that a model costs
    for done in _execute(request, _cache() if cache else None):
        n_maps = len(done.names)
        typer.echo(f"{done.source} -> {n_maps} heatmap{'s' if n_maps > 1 else ''} in {output}")
        for note in done.heatmaps.notes:
            typer.echo(f"  {note}")
        for check in done.worth.checks:
            if check.verdict != "clear":
                typer.echo(f"  '{check.prompt}': {check.verdict}. {check.advice}")


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Write pictures only.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(
        "clip-heatmap-demo"
    ),
) -> None:
    """Open napari with a sample and its heatmaps; without a display, write them as pictures."""
    if not headless:
        from napari_clip_heatmap._napari.demo import open_demo, why_no_display

        obstacle = why_no_display()
        if obstacle is None:
            open_demo()
            return
        typer.echo(f"napari cannot open a window here ({obstacle}); writing pictures instead.")
    from napari_clip_heatmap.files.showcase import prepare_showcase, write_showcase

    request = prepare_showcase(output)
    for done in _execute(request):
        typer.echo(f"Pictures written to {output.resolve()}; begin with {write_showcase(done)}")


@app.command()
def evaluate(
    model: Model = "demo",
    device: Device = "auto",
    precision: Precision = "auto",
    data: Data = None,
    output: Annotated[Path, typer.Option(help="Folder for the report and its pictures.")] = Path(
        "clip-heatmap-evaluation"
    ),
    scenes: Scenes = 200,
    seed: Annotated[int, typer.Option(help="Which scenes are drawn.")] = 0,
    preprocess: Preprocess = None,
) -> None:
    """Measure how well heatmaps find what the prompts name, where the truth is known."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.evaluation import evaluate_model as measure

    loaded = load_model(model, device=device, precision=precision, preprocess=preprocess)
    with _progress("Evaluating") as advance:
        report = measure(
            loaded, data=data, output=output, n_scenes=scenes, seed=seed, progress=advance
        )
    typer.echo(str(report))
    typer.echo(f"Report and pictures: {output.resolve()}")


@app.command()
def models(
    search: Annotated[
        str, typer.Argument(help="Words to look for in names, training data, licences, notes.")
    ] = "",
    here: Annotated[bool, typer.Option("--here", help="Only what is on this machine.")] = False,
) -> None:
    """List the models that can be decomposed; no network is used."""
    from napari_clip_heatmap.api import list_models
    from napari_clip_heatmap.files.listing import print_models

    print_models([entry for entry in list_models(search) if entry.here or not here])


@app.command()
def download(
    model: Annotated[str, typer.Argument(help="ARCH/TAG of open_clip, or hf-hub:ORG/NAME.")],
) -> None:
    """Bring a model and its tokenizer to this machine; cut or stopped, the next call goes on."""
    from napari_clip_heatmap.api import download_model

    try:
        with _progress(f"Downloading {model}", in_bytes=True) as advance:
            path = download_model(model, progress=advance)
    except KeyboardInterrupt:
        typer.echo("clip-heatmap: stopped; what has come is kept, and the next call goes on.")
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"{model} is on this machine: {path}")


@app.command("cache")
def manage_cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all that is kept.")] = False,
    limit: Annotated[
        float | None, typer.Option(min=0, help="Gigabytes it may take from now on; 0: no cache.")
    ] = None,
) -> None:
    """Show where encodings are kept, how many, and what they take; empty that, or limit it."""
    kept = _cache()
    if limit is not None:
        kept.limit = round(limit * GIGABYTE)
    if clear:
        typer.echo(f"Removed {kept.clear() / MEGABYTE:.1f} MB")
    typer.echo(f"Folder:  {kept.folder}")
    typer.echo(f"Entries: {len(kept)}")
    typer.echo(f"Size:    {kept.size / MEGABYTE:.1f} MB of {kept.limit / MEGABYTE:.0f} MB")


@app.command()
def honesty(
    model: Model = "demo",
    device: Device = "auto",
    data: Data = None,
    output: Annotated[Path, typer.Option(help="Folder for the report and its picture.")] = Path(
        "clip-heatmap-honesty"
    ),
    scenes: Scenes = 60,
    seed: Annotated[int, typer.Option(help="Which scenes and gibberish are drawn.")] = 9_000_000,
    gibberish: Annotated[int, typer.Option(min=1, help="Prompts of each kind of gibberish.")] = 60,
) -> None:
    """Measure whether gibberish is flagged, and words for what is there are not."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.evaluation.honesty import measure_verdicts
    from napari_clip_heatmap.evaluation.honesty_picture import draw_distribution
    from napari_clip_heatmap.evaluation.honesty_report import HonestyReport
    from napari_clip_heatmap.files.pictures import write_picture

    loaded = load_model(model, device=device)
    with _progress("Judging") as advance:
        judged = measure_verdicts(
            loaded, data=data, n_scenes=scenes, seed=seed, n_gibberish=gibberish, progress=advance
        )
    report = HonestyReport(loaded.describe(), judged)
    output.mkdir(parents=True, exist_ok=True)
    report.write(output)
    write_picture(output / "honesty.png", draw_distribution(judged))
    typer.echo(str(report))
    typer.echo(f"Report and picture: {output.resolve()}")


def _cache() -> EncodingCache:
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

    return EncodingCache()


def _execute(request: Request, cache: EncodingCache | None = None) -> Iterator[Done]:
    """Load the model and work through the images under a progress bar."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.files.batch import write_heatmaps

    with _progress("Encoding") as advance:
        loaded = load_model(
            request.model,
            device=request.device,
            precision=request.precision,
            preprocess=request.preprocess,
            image_size=request.image_size,
        )
        yield from write_heatmaps(loaded, request, advance, cache)


def _asked(
    typed: list[str], prompts: str | None, templates: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return prompts and templates: those typed, after those of a set."""
    from napari_clip_heatmap.prompting.language import distinct
    from napari_clip_heatmap.prompting.prompt_set import find_set
    from napari_clip_heatmap.prompting.templates import parse_templates

    chosen = None if prompts is None else find_set(prompts)
    of_set = () if chosen is None else chosen.lines
    asked = tuple(prompt.text for prompt in distinct([*of_set, *typed]))
    if not asked:
        raise typer.BadParameter("there is no prompt; give --prompt WORDS, or --prompts FILE")
    if templates:
        return asked, parse_templates(templates[0] if len(templates) == 1 else templates)
    return asked, parse_templates("plain" if chosen is None else chosen.templates)


def _downsample(text: str) -> float | Literal["auto"]:
    """Read ``--downsample``."""
    if text == "auto":
        return "auto"
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 1.0 <= factor < float("inf"):
        raise typer.BadParameter(f"--downsample is a number from 1 up, or auto; got '{text}'")
    return factor


@contextmanager
def _progress(what: str, *, in_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, and give the callable (done, total) that moves it."""
    from rich.console import Console
    from rich.progress import (
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    columns = Progress.get_default_columns()
    if in_bytes:
        columns = (*columns[:2], DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    # A log gets no bar: even an empty one leaves a blank line there.
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
