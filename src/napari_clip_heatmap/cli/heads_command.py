"""``clip-heatmap heads``: what each head of a model looks for, in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_clip_heatmap.cli.completion import complete_models
from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.options import Device, Json, Precision, Preprocess, Quiet
from napari_clip_heatmap.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_clip_heatmap.batch.inputs.batch_image import ImageEntry

__all__ = ["add_heads_command"]


def add_heads_command(app: typer.Typer) -> None:
    """Add the command to the command line.

    Examples
    --------
    >>> add_heads_command(typer.Typer())
    """
    app.command()(heads)


def heads(
    model: Annotated[
        str,
        typer.Argument(autocompletion=complete_models, help="As --model of `run` takes it."),
    ],
    images: Annotated[
        list[str],
        typer.Option("--images", help="A folder, file or glob of images; may be repeated."),
    ],
    words: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="A text file with one word a line."),
    ],
    count: Annotated[int, typer.Option(min=1, help="Words for each head.")] = 5,
    tiles: Annotated[int, typer.Option(min=1, help="Tiles of each image, evenly spread.")] = 16,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write here instead of where the viewer finds it.",
            dir_okay=False,
        ),
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    preprocess: Preprocess = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Describe what each head of a model looks for, by the words of a list (TextSpan).

    Of each head the contributions to the embeddings of all tiles are taken; the words are those
    along which they vary most, with the fraction of the variance that they explain together.
    """
    printer = Printer(quiet, as_json)
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.pipeline.explanation.head_words import describe_heads, read_words

    listed = read_words(words)
    entries = _entries(images)
    loaded = load_model(model, device=device, precision=precision, preprocess=preprocess)
    with printer.progress("Images") as advance:
        found = describe_heads(
            loaded,
            _pixels(entries, advance),
            listed,
            count=max(1, min(count, len(set(listed)))),
            tiles_per_image=tiles,
        )
    path = found.save(output)
    for layer, named in enumerate(found.words):
        for head, best in enumerate(named):
            parts = zip(best, found.explained[layer][head], strict=True)
            told = ", ".join(f"{word} ({part:.0%})" for word, part in parts)
            printer.say(f"L{layer}H{head}  {told or 'varies along none of the words'}")
    printer.say(
        f"{found.n_words} words, {found.n_tiles} tiles of {found.n_images} images; in parentheses "
        "the variance explained so far"
    )
    printer.say(f"Written to {path}")
    printer.data({"path": str(path), "tiles": found.n_tiles, "heads": found.rows()})


def _entries(inputs: list[str]) -> list[ImageEntry]:
    """Return all images that were named."""
    from napari_clip_heatmap.batch.inputs.image_list import find_sources, list_images
    from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

    sources = find_sources(inputs)
    entries = [entry for source in sources for entry in list_images(source, PictureChoice())]
    if not entries:
        raise SettingsError(
            f"no image was found in {', '.join(inputs)}; give a folder with images, files or a glob"
        )
    return entries


def _pixels(entries: list[ImageEntry], advance: Callable[..., None]) -> Iterator[Any]:
    """Yield every plane of each image, read when it is needed."""
    from napari_clip_heatmap.batch.inputs.image_list import open_image
    from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

    for number, entry in enumerate(entries):
        advance(number, len(entries))
        opened = open_image(entry, PictureChoice())
        for index in opened.planes:
            yield opened.channels(index)
    advance(len(entries), len(entries))
