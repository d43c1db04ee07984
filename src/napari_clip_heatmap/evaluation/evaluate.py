"""The whole evaluation in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap.evaluation.drawn import divide_scenes, evaluate_drawn
from napari_clip_heatmap.evaluation.example_maps import write_examples
from napari_clip_heatmap.evaluation.micrographs.micrograph_index import (
    GroupFold,
    is_micrograph_folder,
    read_micrographs,
)
from napari_clip_heatmap.evaluation.micrographs.micrograph_scores import (
    choose_micrographs,
    evaluate_micrographs,
)
from napari_clip_heatmap.evaluation.objects.object_report import (
    count_object_steps,
    evaluate_objects,
)
from napari_clip_heatmap.evaluation.real import count_real, evaluate_blood, evaluate_nuclei
from napari_clip_heatmap.evaluation.report import Report

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["evaluate_model"]

OBJECT_SCENES = 4
"""One drawn scene in so many is searched for objects, which takes longer than its maps."""


def evaluate_model(
    model: ClipModel,
    *,
    data: Path | None,
    output: Path,
    n_scenes: int,
    seed: int,
    n_seeds: int = 1,
    fold: GroupFold | None = None,
    progress: Callable[[int, int], None],
) -> Report:
    """Measure heatmaps on drawn scenes and, where ``data`` is given, on real images.

    Parameters
    ----------
    model : ClipModel
        What `load_model` returns.
    data : Path or None
        Folder with ``nuclei/`` or ``blood/``; see `napari_clip_heatmap.evaluation.real`. With
        ``micrographs/`` too, what those show is named and mapped.
    output : Path
        Folder for ``report.md``, ``report.json`` and one picture per class; created if needed.
    n_scenes : int
        Number of drawn scenes.
    seed : int
        Seed of the first scene; the others follow it.
    n_seeds : int
        Sets that the scenes are divided into: figures carry an interval over them.
    fold : GroupFold, optional
        Measure only this part of the micrographs, which the model was not trained on.
    progress : callable
        Called with (images done, images in all).

    Raises
    ------
    ImageError
        If ``data`` holds no images with truth.
    """
    n_object_scenes = -(-n_scenes // OBJECT_SCENES)
    total = n_scenes + (0 if data is None else count_real(data))
    total += count_object_steps(data, n_object_scenes)
    micrographs = None if data is None else data / "micrographs"
    has_micrographs = micrographs is not None and is_micrograph_folder(micrographs)
    listed = read_micrographs(micrographs) if micrographs and has_micrographs else ()
    chosen = choose_micrographs(listed, fold=fold)
    total += len(chosen)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    output.mkdir(parents=True, exist_ok=True)
    drawn = tuple(
        evaluate_drawn(model, n_scenes=size, seed=first, progress=advance)
        for first, size in divide_scenes(n_scenes, n_seeds, seed)
    )
    nuclei = None if data is None else evaluate_nuclei(model, data / "nuclei", advance)
    blood = None if data is None else evaluate_blood(model, data / "blood", advance)
    objects = evaluate_objects(
        model, data=data, n_scenes=n_object_scenes, seed=seed, progress=advance
    )
    of_micrographs = evaluate_micrographs(model, chosen, advance) if chosen else None
    report = Report(model.describe(), drawn, nuclei, blood, objects, of_micrographs)
    report.write(output)
    write_examples(model, output, seed)
    return report
