"""Objects found and named by words, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap.evaluation.objects.found_objects import (
    FoundObjects,
    find_drawn_objects,
    find_nuclei,
)
from napari_clip_heatmap.evaluation.objects.named_objects import (
    NamedObjects,
    name_blood_cells,
    name_drawn_objects,
)
from napari_clip_heatmap.evaluation.real import label_pairs, read_boxes

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["ObjectReport", "evaluate_objects"]

_NEAR_ORACLE, _DRAWN_NAMED, _BLOOD_NAMED = 0.9, 0.90, 0.85


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """What was measured; `str` gives the tables.

    Attributes
    ----------
    drawn : FoundObjects
        By class.
    drawn_named : NamedObjects
    nuclei : FoundObjects or None
        By kind of image, where there are real ones.
    blood_named : NamedObjects or None
    """

    drawn: FoundObjects
    drawn_named: NamedObjects
    nuclei: FoundObjects | None
    blood_named: NamedObjects | None

    def __str__(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield "## Objects of drawn scenes, found by words\n"
        yield from _found_lines(self.drawn)
        if self.nuclei is not None:
            yield "\n## Real nuclei, Otsu's threshold and watershed\n"
            yield from _found_lines(self.nuclei)
        yield f"\n## Objects of drawn scenes, named by words (target {_DRAWN_NAMED})\n"
        yield from _named_lines(self.drawn_named)
        if self.blood_named is not None:
            yield f"\n## Boxes of real blood smears, named by words (target {_BLOOD_NAMED})\n"
            yield from _named_lines(self.blood_named)


def evaluate_objects(
    model: ClipModel,
    *,
    data: Path | None,
    n_scenes: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> ObjectReport:
    """Find and name objects by words, on drawn scenes and, where ``data`` is given, on real images.

    Parameters
    ----------
    model : ClipModel
    data : Path or None
        Folder with ``nuclei/`` or ``blood/``; see `napari_clip_heatmap.evaluation.real`.
    n_scenes, seed : int
        Drawn scenes, and the seed of the first.
    progress : callable
        Called with (images done, images in all).

    Raises
    ------
    ImageError
        A picture in ``data`` cannot be read.
    """
    nuclei, blood = (None, None) if data is None else (data / "nuclei", data / "blood")
    n_nuclei = 0 if nuclei is None else len(label_pairs(nuclei))
    n_blood = 0 if blood is None else len(read_boxes(blood))
    total, done = 2 * n_scenes + n_nuclei + n_blood, 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    drawn = find_drawn_objects(model, n_scenes=n_scenes, seed=seed, progress=advance)
    named = name_drawn_objects(model, n_scenes=n_scenes, seed=seed, progress=advance)
    return ObjectReport(
        drawn=drawn,
        drawn_named=named,
        nuclei=find_nuclei(model, nuclei, advance) if nuclei is not None and n_nuclei else None,
        blood_named=name_blood_cells(model, blood, advance)
        if blood is not None and n_blood
        else None,
    )


def _found_lines(found: FoundObjects) -> Iterator[str]:
    yield (
        "F1 at an intersection over union of 0.5, and objects miscounted over objects; in "
        f"parentheses what an oracle on the patch lattice reaches (target {_NEAR_ORACLE} of it).\n"
    )
    yield "| what | objects | F1 | of the oracle's | count error |"
    yield "|---|---|---|---|---|"
    for name, ours in found.found.items():
        best = found.oracle[name]
        share = ours.f1 / best.f1 if best.f1 else float("nan")
        yield (
            f"| {name} | {ours.true} | {ours.f1:.2f} ({best.f1:.2f}) | {share:.0%} | "
            f"{ours.count_error:.2f} ({best.count_error:.2f}) |"
        )


def _named_lines(named: NamedObjects) -> Iterator[str]:
    yield "| class | objects | named right |"
    yield "|---|---|---|"
    for name, count in named.all.items():
        yield f"| {name} | {count} | {named.right[name] / count:.2f} |"
    yield f"| all | {sum(named.all.values())} | {named.accuracy:.3f} |"
