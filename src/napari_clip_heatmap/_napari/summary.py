"""One line on what a run did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.session import Answer

__all__ = ["summary"]


def summary(answer: Answer, scale: Sequence[float], units: Sequence[Any]) -> str:
    """Say how much was done, how long it took, and how fine the map really is.

    Parameters
    ----------
    answer : Answer
    scale : (y, x)
        Size of an image pixel, in `units`.
    units : (y, x) of pint units
        As layers have them; "pixel" where the image has none.

    Returns
    -------
    str
        Such as "5 prompts, 12 tiles, 0.8 s; one patch = 8 px (2.6 µm)".
    """
    lattice = answer.encoding.lattice
    work = "encoded before" if answer.encoded_before else _count(len(lattice.tiles), "tile")
    patch = lattice.y.patch * lattice.y.image / lattice.y.working
    length = "" if str(units[0]) == "pixel" else f" ({patch * abs(scale[0]):.3g} {units[0]:~P})"
    return (
        f"{_count(len(answer.heatmaps.prompts), 'prompt')}, {work}, {answer.seconds:.2g} s; "
        f"one patch = {patch:.3g} px{length}"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
