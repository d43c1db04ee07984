"""The evaluations that are asked for one at a time, each with a report of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_clip_heatmap.errors import SettingsError

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["SpecialRequest", "run_special"]


@dataclass(frozen=True)
class SpecialRequest:
    """What is asked for.

    Parameters
    ----------
    what : str
        "examples", "faithfulness", "localization", "prompt-lists", "imagenet-s" or "voc".
    data : Path or None
        As `evaluate_model` takes it.
    n_scenes, seed : int
    public : Path or None
        The public data set.
    names : str
        "official" or "bare", for VOC.
    limit : int or None
        Only so many images of the public data set.
    downsample : float or "auto"
        Of the images in which examples are clicked, as `encode` takes it.
    """

    what: str
    data: Path | None
    n_scenes: int
    seed: int
    public: Path | None = None
    names: str = "official"
    limit: int | None = None
    downsample: float | Literal["auto"] = "auto"


def run_special(
    model: ClipModel,
    request: SpecialRequest,
    output: Path,
    progress: Callable[[int, int], None],
) -> tuple[object, Path]:
    """Return the report, whose `str` gives its tables, and the file with its figures.

    Raises
    ------
    SettingsError
        There is no such evaluation, or it has too little to measure.
    ImageError
        The data cannot be read.
    """
    runs = {
        "examples": _examples,
        "faithfulness": _faithfulness,
        "localization": _localization,
        "prompt-lists": _prompt_lists,
        "imagenet-s": _public,
        "voc": _public,
    }
    if request.what not in runs:
        raise SettingsError(f"there is no evaluation '{request.what}'; accepted: {', '.join(runs)}")
    return runs[request.what](model, request, output, progress)


_Progress = Callable[[int, int], None]


def _examples(
    model: ClipModel, request: SpecialRequest, output: Path, progress: _Progress
) -> tuple[object, Path]:
    from napari_clip_heatmap.evaluation.clicks import measure_examples

    report = measure_examples(
        model,
        data=request.data,
        n_scenes=request.n_scenes,
        seed=request.seed,
        downsample=request.downsample,
        progress=progress,
    )
    return report, report.write(output)[1]


def _faithfulness(
    model: ClipModel, request: SpecialRequest, output: Path, progress: _Progress
) -> tuple[object, Path]:
    from napari_clip_heatmap.evaluation.faithfulness import (
        draw_stimuli,
        measure_faithfulness,
        read_stimuli,
    )

    stimuli = draw_stimuli(model, request.n_scenes, request.seed)
    if request.data is not None:
        stimuli += read_stimuli(model, request.data, request.seed)
    report = measure_faithfulness(model, stimuli, seed=request.seed, progress=progress)
    return report, report.write(output)[1]


def _localization(
    model: ClipModel, request: SpecialRequest, output: Path, progress: _Progress
) -> tuple[object, Path]:
    from napari_clip_heatmap.evaluation.localization import compare_localization

    report = compare_localization(
        model, data=request.data, n_scenes=request.n_scenes, seed=request.seed, progress=progress
    )
    return report, report.write(output)[1]


def _prompt_lists(
    model: ClipModel, request: SpecialRequest, output: Path, progress: _Progress
) -> tuple[object, Path]:
    from napari_clip_heatmap.evaluation.meaning.prompt_lists import measure_prompt_lists

    report = measure_prompt_lists(
        model, data=request.data, n_scenes=request.n_scenes, seed=request.seed, progress=progress
    )
    report.write(output)
    return report, output / "prompt-lists.json"


def _public(
    model: ClipModel, request: SpecialRequest, output: Path, progress: _Progress
) -> tuple[object, Path]:
    from napari_clip_heatmap.evaluation.benchmarks import run_imagenet_segmentation, run_voc21

    if request.public is None:
        raise SettingsError(f"'{request.what}' needs the folder of the data set")
    if request.what == "imagenet-s":
        report = run_imagenet_segmentation(
            model, request.public, limit=request.limit, progress=progress
        )
    else:
        names: Literal["official", "bare"] = "bare" if request.names == "bare" else "official"
        report = run_voc21(
            model, request.public, names=names, limit=request.limit, progress=progress
        )
    return report, report.write(output)[1]
