"""Values of options that are more than a word or a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from napari_clip_heatmap.imaging.view import View

__all__ = ["parse_channel", "parse_downsample", "parse_view", "prompts_and_templates"]


def parse_downsample(text: str) -> float | Literal["auto"]:
    """Read ``--downsample``: a number from 1 up, or auto.

    Raises
    ------
    typer.BadParameter
        It is neither.

    Examples
    --------
    >>> parse_downsample("2")
    2.0
    """
    if text == "auto":
        return "auto"
    factor = _number(text)
    if factor is None or factor < 1:
        raise typer.BadParameter(f"--downsample is a number from 1 up, or auto; got '{text[:60]}'")
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

    Raises
    ------
    typer.BadParameter
        It is neither.

    Examples
    --------
    >>> parse_channel("2,0,1")
    (2, 0, 1)
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (1, 3) or not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(
            "--channel is one number from 0 up, or three for red, green and blue, such as 2,0,1; "
            f"got '{text[:60]}'"
        )
    numbers = tuple(int(part) for part in parts)
    return numbers if len(numbers) == 3 else numbers[0]


def prompts_and_templates(
    typed: list[str], prompt_set: str | None, templates: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the prompts of a set followed by those typed, and the templates.

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
    of_set = () if chosen is None else chosen.lines
    prompts = tuple(prompt.text for prompt in distinct([*of_set, *typed]))
    if not prompts:
        raise typer.BadParameter("there is no prompt; give --prompt WORDS, or --prompts FILE")
    if templates:
        return prompts, parse_templates(templates[0] if len(templates) == 1 else templates)
    return prompts, parse_templates("plain" if chosen is None else chosen.templates)


def _number(text: str) -> float | None:
    """Return a finite number, or None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
