"""The target figures of a model, measured while it is trained, as one line of a log.

On fewer pictures than `clip-heatmap evaluate` takes, always the same ones: enough to see which way
a run goes. Real pictures whose group was trained on are left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.drawn import SIDE, evaluate_drawn
from napari_clip_heatmap.evaluation.micrographs.micrograph_index import (
    GroupFold,
    Micrograph,
)
from napari_clip_heatmap.evaluation.micrographs.micrograph_scores import (
    choose_micrographs,
    evaluate_micrographs,
)
from napari_clip_heatmap.evaluation.real import evaluate_blood, evaluate_nuclei
from napari_clip_heatmap.evaluation.scores import Scores
from napari_clip_heatmap.scenes import CLASSES, draw
from training.lexicon import LEXICON, read_lexicon
from training.objective import preprocess
from training.teacher import STRIDE, Teacher
from training.typos import misspell, typos

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["FigureRequest", "log_figures", "measure_figures", "measure_teacher", "measure_words"]

_UNSEEN = Path(__file__).with_name("unseen_synonyms.txt")
_SEED = 6_000_000
"""Of the drawn scenes; `docs/demo-model.md` is measured on others."""
_FEWEST = 50
"""Pixels below which an AUROC says nothing."""


@dataclass(frozen=True)
class FigureRequest:
    """What to measure on.

    Attributes
    ----------
    data : Path or None
        Folder with ``nuclei/`` and ``blood/``, as `evaluate_model` takes it.
    micrographs : tuple of Micrograph
        Empty for none.
    fold : GroupFold or None
        The part of them that is not trained on; without one, no micrograph is measured.
    n_scenes : int
    most : int
        Micrographs of each class and modality.
    """

    data: Path | None = None
    micrographs: tuple[Micrograph, ...] = ()
    fold: GroupFold | None = None
    n_scenes: int = 40
    most: int = 6


def measure_figures(model: ClipModel, request: FigureRequest) -> dict[str, float]:
    """Return the figures of a model, by name."""
    drawn = evaluate_drawn(model, n_scenes=request.n_scenes, seed=_SEED, progress=_nothing)
    found = measure_words(model)
    found |= {
        "drawn median": drawn.against_others.median_of_means(),
        "drawn worst": drawn.against_others.worst_mean(),
        "drawn all pixels": drawn.against_all.median_of_means(),
    }
    if request.data is not None:
        nuclei = evaluate_nuclei(model, request.data / "nuclei", _nothing)
        blood = evaluate_blood(model, request.data / "blood", _nothing)
        found |= {f"nuclei {kind}": nuclei.median(kind) for kind in nuclei.values}
        found |= {name: blood.mean(name) for name in blood.values}
    if request.fold is not None and request.micrographs:
        chosen = choose_micrographs(request.micrographs, fold=request.fold, most=request.most)
        result = evaluate_micrographs(model, chosen, _nothing)
        found |= {"named right": result.mean_named(), "maps": result.mean_maps()}
    return {name: round(value, 4) for name, value in found.items()}


@torch.no_grad()
def measure_teacher(teacher: Teacher, texts: Tensor, n_scenes: int) -> dict[str, float]:
    """Return what `evaluate_drawn` measures of a model, of the teacher's evidence.

    Parameters
    ----------
    teacher : Teacher
    texts : Tensor (class, d_embed)
        Unit directions of `CLASSES`.
    n_scenes : int
    """
    others: dict[str, list[float]] = {}
    everything: dict[str, list[float]] = {}
    for number in range(n_scenes):
        scene = draw(_SEED + number, (SIDE, SIDE))
        pixels = preprocess(scene.image[None], texts.device)
        evidence = teacher(pixels, texts)[0].cpu().numpy()
        maps = (evidence - evidence.mean(0)).repeat(STRIDE, 1).repeat(STRIDE, 2)
        for name, own in scene.masks.items():
            values = maps[CLASSES.index(name)]
            rest = np.logical_or.reduce(list(scene.masks.values())) & ~own
            for found, outside in ((others, rest), (everything, ~own)):
                if min(own.sum(), outside.sum()) >= _FEWEST:
                    found.setdefault(name, []).append(auroc(values[own], values[outside]))
    against_others, against_all = Scores.collect(others), Scores.collect(everything)
    return {
        "drawn median": round(against_others.median_of_means(), 4),
        "drawn worst": round(against_others.worst_mean(), 4),
        "drawn all pixels": round(against_all.median_of_means(), 4),
    }


def measure_words(model: ClipModel) -> dict[str, float]:
    """Return how often a name is nearest to its class, of names never met and of mistyped ones."""
    classes = list(LEXICON)
    unseen = [
        (name, canonical)
        for canonical, names in read_lexicon(_UNSEEN).items()
        for name in names[1:]
    ]
    rng = np.random.default_rng(0)
    slips = [
        (misspell(rng, name, frozenset()), canonical)
        for canonical, names in LEXICON.items()
        for name in names[:2]
        if any(typos(word) for word in name.split())
    ]
    directions = model.encode_text(classes)
    found = {}
    for what, pairs in (("unseen synonyms", unseen), ("slips", slips)):
        names, owners = zip(*pairs, strict=True)
        nearest = (model.encode_text(names) @ directions.T).argmax(1).tolist()
        right = [classes[row] == owner for row, owner in zip(nearest, owners, strict=True)]
        found[what] = float(np.mean(right))
    return found


def log_figures(
    path: Path, folder: Path, request: FigureRequest, facts: Mapping[str, object]
) -> dict[str, float]:
    """Measure the model in ``folder``, append a line of JSON to ``path``, return the figures."""
    model = nch.load_model(f"local-dir:{folder}", device="cpu")
    figures = measure_figures(model, request)
    line = {"time": time.strftime("%Y-%m-%d %H:%M:%S"), **facts, **figures}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return figures


def _nothing() -> None:
    """Report no progress."""
