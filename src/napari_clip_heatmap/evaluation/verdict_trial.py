"""Test the verdicts: gibberish against names of what is in the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.gibberish import CLASSIC, UNRELATED, draw_gibberish
from napari_clip_heatmap.evaluation.real import blood_names, label_pairs
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.pipeline.null_reference import make_null_reference
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.pipeline.verdicts import Verdict, assess_scoring
from napari_clip_heatmap.scenes import CLASSES, SAMPLE_CLASSES, draw, sample_scene
from napari_clip_heatmap.scenes.vocabulary import NAMES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["ABSENT", "PRESENT", "JudgedPrompt", "gibberish", "measure_verdicts"]

PRESENT, ABSENT = "what is there", "what is not there"
"""Groups of prompts that are not gibberish."""

_SIDE = 256
_VISIBLE = 0.005
"""Fraction of a scene's pixels from which a class counts as present; absent means 0."""


@dataclass(frozen=True, slots=True)
class JudgedPrompt:
    """One prompt on one image.

    Attributes
    ----------
    source : str
        Kind of image.
    group : str
        `PRESENT`, `ABSENT`, or a kind of gibberish.
    prompt : str
    dependence, rank : float
        As in `PromptCheck`.
    verdict : Verdict
    """

    source: str
    group: str
    prompt: str
    dependence: float
    rank: float
    verdict: Verdict


def gibberish(seed: int, count: int) -> dict[str, tuple[str, ...]]:
    """Return gibberish by kind, without the built-in nonsense prompts."""
    kinds = {
        **draw_gibberish(seed, count),
        "classic": CLASSIC,
        "unrelated English": UNRELATED,
    }
    return {
        kind: tuple(prompt for prompt in prompts if prompt not in NONSENSE)
        for kind, prompts in kinds.items()
    }


def measure_verdicts(
    model: ClipModel,
    *,
    data: Path | None,
    n_scenes: int,
    seed: int,
    n_gibberish: int,
    progress: Callable[[int, int], None],
) -> tuple[JudgedPrompt, ...]:
    """Judge gibberish and the names of all classes on drawn and on real images.

    Parameters
    ----------
    model : ClipModel
    data : Path or None
        As `evaluate` takes it.
    n_scenes : int
        Number of drawn scenes, in addition to the sample scene.
    seed : int
        Seed of the first scene and of the gibberish.
    n_gibberish : int
        Number of prompts of each drawn kind.
    progress : callable
        Called with (images done, images in all).
    """
    kinds = gibberish(seed, n_gibberish)
    real = [] if data is None else [*_nuclei(data / "nuclei"), *_blood(data / "blood")]
    total = n_scenes + 1 + len(real)
    judged: list[JudgedPrompt] = []
    for done, (source, image, there, absent) in enumerate(_images(n_scenes, seed, real), start=1):
        groups = {**kinds, PRESENT: _named(there), ABSENT: _named(absent)}
        judged += _judge(model, source, image, groups)
        progress(done, total)
    return tuple(judged)


_Known = tuple[str, "Path | NDArray[Any]", frozenset[str], frozenset[str]]
"""Kind of image, the image, classes that are present, classes that are absent."""


def _images(n_scenes: int, seed: int, real: Iterable[_Known]) -> Iterator[_Known]:
    there = frozenset(SAMPLE_CLASSES)
    yield "demo sample", sample_scene(), there, frozenset(CLASSES) - there
    for number in range(n_scenes):
        scene = draw(seed + number, (_SIDE, _SIDE))
        seen = {name: float(mask.mean()) for name, mask in scene.masks.items()}
        shown = frozenset(name for name, fraction in seen.items() if fraction >= _VISIBLE)
        absent = frozenset(name for name in CLASSES if not seen.get(name))
        yield "drawn scenes", scene.image, shown, absent
    yield from real


def _nuclei(folder: Path) -> list[_Known]:
    # Nothing else is labeled in these images.
    absent = frozenset({"platelets"})
    return [("real nuclei", path, frozenset({"nuclei"}), absent) for path, _ in label_pairs(folder)]


def _blood(folder: Path) -> list[_Known]:
    absent = frozenset({"filaments", "mitochondria", "bacteria", "vesicles"})
    return [
        ("real blood", folder / file, names, absent) for file, names in blood_names(folder).items()
    ]


def _named(classes: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for each in CLASSES if each in classes for name in NAMES[each])


def _judge(
    model: ClipModel,
    source: str,
    image: Path | NDArray[Any],
    groups: Mapping[str, tuple[str, ...]],
) -> Iterator[JudgedPrompt]:
    encoding = encode(model, read_image(image) if isinstance(image, Path) else image)
    group_of = {prompt: group for group, prompts in groups.items() for prompt in prompts}
    scoring = build_scoring(encoding.text, group_of, "absolute")
    for check in assess_scoring(encoding, scoring, make_null_reference(encoding)).checks:
        yield JudgedPrompt(
            source=source,
            group=group_of[check.prompt],
            prompt=check.prompt,
            dependence=check.dependence,
            rank=check.rank,
            verdict=check.verdict,
        )
