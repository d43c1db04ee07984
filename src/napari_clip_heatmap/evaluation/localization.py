"""What the choice of map costs: how well several maps lie on what the prompts name.

All maps come from the same tiles; only what is done with the last layers differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.faithfulness.paired import (
    PairedComparison,
    bootstrap_interval,
    compare,
)
from napari_clip_heatmap.evaluation.faithfulness.token_methods import IMAGE_METHODS
from napari_clip_heatmap.evaluation.image_maps import check_token_methods, image_maps
from napari_clip_heatmap.evaluation.real import (
    blood_masks,
    count_real,
    label_pairs,
)
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.scenes import CLASSES, draw

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["LOCALIZATION_METHODS", "LocalizationReport", "compare_localization"]

LOCALIZATION_METHODS = tuple(IMAGE_METHODS)

_SIDE = 256
_FEWEST = 50
"""Pixels of a thing, and without it, below which an AUROC says nothing."""


@dataclass(frozen=True, eq=False)
class LocalizationReport:
    """AUROC by kind of image and method; `str` gives the table in Markdown.

    Parameters
    ----------
    model : mapping
        Where the model came from, in values that JSON has.
    methods : tuple of str
        "exact" is the first.
    values : mapping of str to float64 (method, case)
        Kind to AUROCs. A case is one thing in one image.
    seed : int
        Of the bootstrap.
    """

    model: Mapping[str, object]
    methods: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    seed: int

    def comparisons(self, kind: str) -> dict[str, PairedComparison]:
        """Return each method against "exact", on the images of a kind."""
        found = self.values[kind]
        return {
            name: compare(found[number], found[0], self.seed)
            for number, name in enumerate(self.methods)
        }

    def __str__(self) -> str:
        """Return the table."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``localization.md`` and ``localization.json`` into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        text, numbers = folder / "localization.md", folder / "localization.json"
        text.write_text(f"{self}\n", encoding="utf-8")
        record = {
            "model": dict(self.model),
            "methods": list(self.methods),
            "auroc": {kind: found.tolist() for kind, found in self.values.items()},
        }
        numbers.write_text(json.dumps(record, indent=1), encoding="utf-8")
        return text, numbers

    def _lines(self) -> Iterator[str]:
        yield f"# Which map of {self.model.get('name')} lies on what the prompt names"
        yield (
            "\nMean AUROC of a prompt's map, relative among all classes, against all other "
            "pixels; in brackets exact minus the method, with its 95 % interval.\n"
        )
        yield (
            "| map | "
            + " | ".join(f"{kind} ({found.shape[1]})" for kind, found in self.values.items())
            + " |"
        )
        yield "|---" * (1 + len(self.values)) + "|"
        rows = {kind: self.comparisons(kind) for kind in self.values}
        for name in self.methods:
            cells = [_cell(rows[kind][name], is_reference=name == "exact") for kind in rows]
            yield f"| {IMAGE_METHODS[name][0]} | " + " | ".join(cells) + " |"
        yield (
            "\nThe mean of the exact map over images drawn again and again: "
            + "; ".join(
                "{} {:.3f} to {:.3f}".format(kind, *bootstrap_interval(found[0], self.seed))
                for kind, found in self.values.items()
            )
            + "."
        )


def compare_localization(
    model: ClipModel,
    *,
    data: Path | None,
    n_scenes: int,
    seed: int,
    methods: Sequence[str] = LOCALIZATION_METHODS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LocalizationReport:
    """Compare maps on drawn scenes and, where ``data`` is given, on real images with truth.

    Parameters
    ----------
    model : ClipModel
        What `load_model` returns.
    data : Path or None
        As `evaluate_model` takes it.
    n_scenes : int
        Drawn scenes.
    seed : int
        Of the first scene; the others follow it.
    methods : sequence of str
        Names out of `LOCALIZATION_METHODS`; "exact" is added.
    progress : callable(done, total)
        Called after each image.

    Returns
    -------
    LocalizationReport

    Raises
    ------
    SettingsError
        A method is unknown, or there are neither scenes nor data.
    ImageError
        ``data`` holds no images with truth.
    """
    chosen = ("exact", *(name for name in dict.fromkeys(methods) if name != "exact"))
    check_token_methods(chosen)
    total = n_scenes + (0 if data is None else count_real(data))
    if not total:
        raise SettingsError(
            "localization is compared on drawn scenes or on real images; got 0 scenes and no data "
            "folder; ask for scenes, or name a folder"
        )
    texts = model.encode_text(CLASSES).double().numpy()
    directions = texts - texts.mean(axis=0)
    found: dict[str, list[list[float]]] = {}
    for done, (kind, image, masks) in enumerate(_images(data, n_scenes, seed), start=1):
        maps = image_maps(model, image, directions, chosen)
        for name, mask in masks.items():
            if min(mask.sum(), (~mask).sum()) >= _FEWEST:
                row = CLASSES.index(name)
                found.setdefault(kind, []).append(
                    [auroc(maps[each][row][mask], maps[each][row][~mask]) for each in chosen]
                )
        progress(done, total)
    values = {kind: np.array(cases).T for kind, cases in found.items()}
    return LocalizationReport(model.describe(), chosen, values, seed)


_Case = tuple[str, "NDArray[Any]", Mapping[str, "NDArray[np.bool_]"]]


def _images(data: Path | None, n_scenes: int, seed: int) -> Iterator[_Case]:
    """Yield kind, image and the pixels of each thing in it."""
    for number in range(n_scenes):
        scene = draw(seed + number, (_SIDE, _SIDE))
        yield "drawn scenes", scene.image, scene.masks
    if data is not None:
        for path, labels in label_pairs(data / "nuclei"):
            mask = read_image(labels) > 0
            yield f"nuclei, {path.name.split('_')[0]}", read_image(path), {"nuclei": mask}
        for image, masks in blood_masks(data / "blood"):
            yield "blood", image, masks


def _cell(row: PairedComparison, *, is_reference: bool) -> str:
    if is_reference:
        return f"{row.mean:.3f}"
    low, high = row.difference_interval
    return f"{row.mean:.3f} ({row.difference:+.3f}: {low:+.3f} to {high:+.3f})"
