"""Values of options that are more than a word or a number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.inputs.colored_channels import ChannelColor
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.imaging.view import View
    from napari_clip_heatmap.prompting.example import Example

__all__ = [
    "asked_settings",
    "parse_channel",
    "parse_colors",
    "parse_downsample",
    "parse_format",
    "parse_kinds",
    "parse_names",
    "parse_part",
    "parse_threshold",
    "parse_view",
    "prompts_and_templates",
]

_CHANNELS = (
    "--channel is one number from 0 up, three for red, green and blue, such as 2,0,1, or numbers "
    "with a color each, such as 0:blue,2:#ff8800"
)


def parse_downsample(text: str) -> float | Literal["auto"]:
    """Read ``--downsample``: a number, below 1 to enlarge, or auto.

    Raises
    ------
    typer.BadParameter
        It is neither, or the number is too small.

    Examples
    --------
    >>> parse_downsample("2")
    2.0
    """
    if text == "auto":
        return "auto"
    from napari_clip_heatmap.imaging.lattice import LEAST_DOWNSAMPLE

    factor = _number(text)
    if factor is None or factor < LEAST_DOWNSAMPLE:
        raise typer.BadParameter(
            f"--downsample is a number from {LEAST_DOWNSAMPLE} up, or auto; got '{text[:60]}'"
        )
    return factor


def parse_view(text: str | None) -> View:
    """Read ``--view``: a mode of `View`, or the values LOW,HIGH; by default the library's own.

    Raises
    ------
    SettingsError
        It is neither.

    Examples
    --------
    >>> parse_view("100,4000")
    View('shown', limits=(100.0, 4000.0))
    """
    from napari_clip_heatmap.imaging.view import View

    return View() if text is None else View.parse(text)


def parse_channel(text: str | None) -> int | tuple[int, ...] | None:
    """Read ``--channel``: one number, or three for red, green and blue.

    What names colors is left to `parse_colors`.

    Raises
    ------
    typer.BadParameter
        It is none of these.

    Examples
    --------
    >>> parse_channel("2,0,1")
    (2, 0, 1)
    """
    if text is None or ":" in text:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (1, 3) or not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{_CHANNELS}; got '{text[:60]}'")
    numbers = tuple(int(part) for part in parts)
    return numbers if len(numbers) == 3 else numbers[0]


def parse_colors(text: str | None) -> tuple[ChannelColor, ...]:
    """Read what ``--channel`` says of colors: none, or channels with one each.

    Raises
    ------
    typer.BadParameter
        A channel is no number, stands there twice, or has no color.
    SettingsError
        There is no such color.

    Examples
    --------
    >>> parse_colors("0:blue,2:#ff8800")
    (ChannelColor(number=0, color='#0000ff'), ChannelColor(number=2, color='#ff8800'))
    """
    if text is None or ":" not in text:
        return ()
    from napari_clip_heatmap.batch.inputs.colored_channels import ChannelColor

    colors = []
    for part in re.split(r",(?![^(]*\))", text):  # hsl(...) has commas of its own
        number, colon, color = (each.strip() for each in part.partition(":"))
        if not colon or not color or not number.isdecimal():
            raise typer.BadParameter(f"{_CHANNELS}; got '{text[:60]}'")
        colors.append(ChannelColor(int(number), color))
    numbers = [each.number for each in colors]
    if len(set(numbers)) < len(numbers):
        raise typer.BadParameter(f"--channel names a channel twice: '{text[:60]}'")
    return tuple(colors)


def parse_format(text: str) -> Literal["tif", "ome-zarr"]:
    """Read ``--format``.

    Raises
    ------
    typer.BadParameter
        It is neither.

    Examples
    --------
    >>> parse_format("tif")
    'tif'
    """
    if text == "tif":
        return "tif"
    if text == "ome-zarr":
        return "ome-zarr"
    raise typer.BadParameter(f"--format is tif or ome-zarr; got '{text[:60]}'")


def parse_names(text: str | None) -> tuple[str, ...]:
    """Read names with commas between them, each once.

    Examples
    --------
    >>> parse_names("maps, labels")
    ('maps', 'labels')
    """
    parts = (part.strip() for part in (text or "").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def parse_kinds(
    write: str, *, into_source: bool = False, csv: bool = False, no_overlay: bool = False
) -> tuple[str, ...]:
    """Read ``--write``, and what other options add to it, or take out of it.

    With ``--into-source`` labels go into the images' own stores.

    Examples
    --------
    >>> parse_kinds("maps,overlays,labels", into_source=True, no_overlay=True)
    ('maps', 'source-labels')
    """
    out = {"labels": into_source, "overlays": no_overlay}
    kinds = [kind for kind in parse_names(write) if not out.get(kind)]
    added = [*(["table"] if csv else []), *(["source-labels"] if into_source else [])]
    return tuple(dict.fromkeys([*kinds, *added]))


def parse_part(text: str | None) -> tuple[int, int] | None:
    """Read ``--part``: the number of a part from 1, and how many there are; returned from 0.

    Raises
    ------
    typer.BadParameter
        It is no part.

    Examples
    --------
    >>> parse_part("3/8")
    (2, 8)
    """
    if text is None:
        return None
    number, _, count = text.partition("/")
    if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return int(number) - 1, int(count)
    raise typer.BadParameter(f"--part is I/N with I from 1 to N, such as 3/8; got '{text[:60]}'")


def parse_threshold(text: str) -> float | str:
    """Read ``--threshold``: a number, or how it is learnt from each map.

    Raises
    ------
    typer.BadParameter
        It is neither.

    Examples
    --------
    >>> parse_threshold("otsu"), parse_threshold("0.002")
    ('otsu', 0.002)
    """
    if text in ("otsu", "yen", "triangle") or text.startswith("quantile:"):
        return text
    value = _number(text)
    if value is None:
        raise typer.BadParameter(
            f"--threshold is otsu, yen, triangle, quantile:0.9 or a number; got '{text[:60]}'"
        )
    return value


def prompts_and_templates(
    typed: list[str],
    prompt_set: str | None,
    templates: list[str],
    examples: Sequence[Example] = (),
) -> tuple[tuple[str | Example, ...], tuple[str, ...]]:
    """Return the prompts of a set, those typed and the examples, and the templates.

    Raises
    ------
    typer.BadParameter
        There is no prompt.
    PromptError
        The set or a prompt cannot be read.

    Examples
    --------
    >>> prompts_and_templates(["nuclei"], None, [])
    (('nuclei',), ('{}',))
    """
    from napari_clip_heatmap.prompting.language import distinct, parse_templates
    from napari_clip_heatmap.prompting.prompt_set import find_set

    chosen = None if prompt_set is None else find_set(prompt_set)
    of_set = () if chosen is None else chosen.rows
    prompts = tuple(prompt.row for prompt in distinct([*of_set, *typed, *examples]))
    if not prompts:
        raise typer.BadParameter(
            "there is no prompt; give --prompt WORDS, --prompts FILE, or --example NAME=..."
        )
    if templates:
        return prompts, parse_templates(templates[0] if len(templates) == 1 else templates)
    return prompts, parse_templates("plain" if chosen is None else chosen.templates)


def asked_settings(
    settings: RunSettings,
    typed: list[str],
    prompt_set: str | None,
    templates: list[str],
    examples: list[str],
) -> RunSettings:
    """Return the settings of a job with what is asked: words, those of a set, and examples.

    Examples are made here, from images that are encoded as the job encodes its own.

    Raises
    ------
    typer.BadParameter
        There is no prompt.
    ClipHeatmapError
        The set, a prompt or an example cannot be read or made.

    Examples
    --------
    >>> asked_settings(settings, ["nuclei"], None, [], []).prompts  # doctest: +SKIP
    ('nuclei',)
    """
    from napari_clip_heatmap.prompting.example import Example

    made = _job_examples(settings, examples) if examples else ()
    rows, sentences = prompts_and_templates(typed, prompt_set, templates, made)
    return replace(
        settings,
        prompts=tuple(each.name if isinstance(each, Example) else each for each in rows),
        examples=tuple(each for each in rows if isinstance(each, Example)),
        templates=sentences,
    )


def _job_examples(settings: RunSettings, texts: list[str]) -> tuple[Example, ...]:
    from napari_clip_heatmap.api import encode
    from napari_clip_heatmap.batch.run_job import load_job_model
    from napari_clip_heatmap.files.made_examples import make_examples, parse_example
    from napari_clip_heatmap.files.reading.image_file import read_image

    requests = [parse_example(text) for text in texts]
    of_images = any(each.needs_model for each in requests)
    if of_images and settings.mpp is not None:
        raise typer.BadParameter(
            "--example with an image does not go with --mpp, for which the size of its pixels "
            "must be known; give --downsample, or an encoding made with --mpp in place of the image"
        )
    model: Any = load_job_model(settings) if of_images else None
    return make_examples(
        requests,
        lambda path: encode(
            model,
            read_image(path),
            view=settings.view,
            downsample=settings.downsample,
            quality=settings.quality,
        ),
    )


def _number(text: str) -> float | None:
    """Return a finite number, or None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
