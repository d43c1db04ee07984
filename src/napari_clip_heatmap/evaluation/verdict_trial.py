"""Test the verdicts: on what is there, on what is not, on gibberish, and on empty pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.meaning.asked_prompts import (
    ABSENT,
    PRESENT,
    ask_about,
    gibberish,
)
from napari_clip_heatmap.evaluation.meaning.known_images import (
    KnownImage,
    blank_pictures,
    count_labeled,
    draw_known,
    read_labeled,
)
from napari_clip_heatmap.pipeline.null_reference import make_null_reference
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.pipeline.verdicts import judge_prompts
from napari_clip_heatmap.scenes import CLASSES, SAMPLE_CLASSES, sample_scene
from napari_clip_heatmap.scenes.vocabulary import NAMES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["JudgedPrompt", "measure_verdicts"]

_GIBBERISH_PER_IMAGE = 60
"""Drawn from all of it, so that a trial takes minutes; over all images each has its turn."""


@dataclass(frozen=True, slots=True)
class JudgedPrompt:
    """One prompt on one image.

    Attributes
    ----------
    source : str
        Kind of image.
    group : str
        One of `ask_about`, or a kind of gibberish.
    prompt : str
    dependence : float
    strength : float or None
    trust, text, presence : Trust
        As in `PromptVerdict`.
    image : int
        Number of the image: prompts of one image do not err independently.
    """

    source: str
    group: str
    prompt: str
    dependence: float
    strength: float | None
    trust: Trust
    text: Trust
    presence: Trust
    image: int = 0


def measure_verdicts(
    model: ClipModel,
    *,
    data: Path | None,
    n_scenes: int,
    seed: int,
    n_gibberish: int,
    progress: Callable[[int, int], None],
) -> tuple[JudgedPrompt, ...]:
    """Judge prompts of all groups on drawn, real and empty images.

    Parameters
    ----------
    model : ClipModel
    data : Path or None
        As `evaluate` takes it.
    n_scenes : int
        Number of drawn scenes, in addition to the sample scene.
    seed : int
        Seed of the first scene, of the gibberish and of the empty pictures.
    n_gibberish : int
        Number of prompts of each drawn kind.
    progress : callable
        Called with (images done, images in all).
    """
    kinds = gibberish(seed, n_gibberish)
    blank = list(_blank(seed, n_scenes))
    total = 1 + n_scenes + len(blank) + (0 if data is None else count_labeled(data))
    judged: list[JudgedPrompt] = []
    sources = [iter([_sample()]), draw_known(seed, n_scenes), iter(blank)]
    if data is not None:
        sources.append(read_labeled(data))
    images = (image for source in sources for image in source)
    for number, known in enumerate(images):
        groups = {**_some(kinds, number), **ask_about(known, seed + number)}
        judged += _judge(model, known, groups, number)
        progress(number + 1, total)
    return tuple(judged)


def _sample() -> KnownImage:
    there = frozenset(SAMPLE_CLASSES)
    return KnownImage(
        "demo sample",
        sample_scene(),
        _named(there),
        _named(frozenset(CLASSES) - there),
        tuple(SAMPLE_CLASSES),
    )


def _blank(seed: int, n_noise: int) -> Iterator[KnownImage]:
    for kind, picture in blank_pictures(seed, n_noise):
        yield KnownImage(kind, picture, (), _named(CLASSES))


def _named(classes: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for each in CLASSES if each in classes for name in NAMES[each])


def _some(kinds: Mapping[str, tuple[str, ...]], number: int) -> dict[str, tuple[str, ...]]:
    """Return some gibberish of each kind, other prompts for other images."""
    rng = np.random.default_rng(number)
    most = max(1, _GIBBERISH_PER_IMAGE // len(kinds))
    return {
        kind: tuple(map(str, rng.choice(prompts, min(most, len(prompts)), replace=False)))
        for kind, prompts in kinds.items()
    }


def _judge(
    model: ClipModel, known: KnownImage, groups: Mapping[str, tuple[str, ...]], number: int
) -> Iterator[JudgedPrompt]:
    encoding = encode(model, known.image)
    group_of = {prompt: group for group, prompts in groups.items() for prompt in prompts}
    scoring = build_scoring(encoding.text, group_of, "absolute")
    for found in judge_prompts(encoding, scoring, make_null_reference(encoding)):
        yield JudgedPrompt(
            source=known.kind,
            group=group_of.get(found.prompt, PRESENT if found.prompt in known.present else ABSENT),
            prompt=found.prompt,
            dependence=found.dependence,
            strength=found.strength,
            trust=found.trust,
            text=found.text,
            presence=found.presence,
            image=number,
        )
