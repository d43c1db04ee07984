"""Objects found and named by words, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
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

__all__ = ["ObjectReport", "count_object_steps", "evaluate_objects"]

_NEAR_ORACLE, _DRAWN_NAMED, _BLOOD_NAMED = 0.9, 0.90, 0.85


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """What was measured; `str` gives the tables.

    Attributes
    ----------
    n_scenes : int
        Drawn scenes.
    drawn : FoundObjects
        By class.
    drawn_named : NamedObjects
    nuclei : FoundObjects or None
        By kind of image, where there are real ones.
    blood_named : NamedObjects or None
    """

    n_scenes: int
    drawn: FoundObjects
    drawn_named: NamedObjects
    nuclei: FoundObjects | None
    blood_named: NamedObjects | None

    def __str__(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines())

    def values(self) -> dict[str, object]:
        """Return the figures in values that JSON has."""
        found = {"drawn": self.drawn, "nuclei": self.nuclei}
        named = {"drawn": self.drawn_named, "blood": self.blood_named}
        return {
            "scenes": self.n_scenes,
            "found": {kind: each and asdict(each) for kind, each in found.items()},
            "named": {kind: each and asdict(each) for kind, each in named.items()},
        }

    def _lines(self) -> Iterator[str]:
        yield f"## Objects of {self.n_scenes} drawn scenes, found by words\n"
        yield (
            "F1 at an intersection over union of 0.5, with Otsu's threshold: outlines of the "
            "map, outlines of the image, and the best outlines that the patch lattice allows "
            f"(target {_NEAR_ORACLE} of them). Then objects miscounted over objects.\n"
        )
        yield from _found_lines(self.drawn)
        if self.nuclei is not None:
            yield "\n## Real nuclei, touching ones separated\n"
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
    progress: Callable[[], None],
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
        Called after each image; `count_object_steps` says how often.

    Raises
    ------
    ImageError
        A picture in ``data`` cannot be read.
    """
    nuclei, blood = (None, None) if data is None else (data / "nuclei", data / "blood")
    drawn = find_drawn_objects(model, n_scenes=n_scenes, seed=seed, progress=progress)
    named = name_drawn_objects(model, n_scenes=n_scenes, seed=seed, progress=progress)
    has_nuclei = nuclei is not None and label_pairs(nuclei)
    has_blood = blood is not None and read_boxes(blood)
    return ObjectReport(
        n_scenes=n_scenes,
        drawn=drawn,
        drawn_named=named,
        nuclei=find_nuclei(model, nuclei, progress) if nuclei and has_nuclei else None,
        blood_named=name_blood_cells(model, blood, progress) if blood and has_blood else None,
    )


def count_object_steps(data: Path | None, n_scenes: int) -> int:
    """Return how often `evaluate_objects` calls its `progress`."""
    if data is None:
        return 2 * n_scenes
    return 2 * n_scenes + len(label_pairs(data / "nuclei")) + len(read_boxes(data / "blood"))


def _found_lines(found: FoundObjects) -> Iterator[str]:
    yield (
        "| what | objects | F1, map | F1, image | F1, lattice | image / lattice "
        "| miscounted, map | miscounted, image |"
    )
    yield "|---" * 8 + "|"
    for name, by_map in found.found.items():
        by_image, best = found.by_image[name], found.oracle[name]
        part = by_image.f1 / best.f1 if best.f1 else float("nan")
        yield (
            f"| {name} | {by_map.true} | {by_map.f1:.2f} | {by_image.f1:.2f} | {best.f1:.2f} | "
            f"{part:.0%} | {by_map.count_error:.2f} | {by_image.count_error:.2f} |"
        )


def _named_lines(named: NamedObjects) -> Iterator[str]:
    yield "| class | objects | named right |"
    yield "|---|---|---|"
    for name, count in named.all.items():
        yield f"| {name} | {count} | {named.right[name] / count:.2f} |"
    yield f"| all | {sum(named.all.values())} | {named.accuracy:.3f} |"
