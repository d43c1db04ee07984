"""The whole measurement of faithfulness, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap.errors import DecompositionError, SettingsError
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.faithfulness.additive import measure_effects
from napari_clip_heatmap.evaluation.faithfulness.attention_access import run_with_attention
from napari_clip_heatmap.evaluation.faithfulness.faithfulness_report import FaithfulnessReport
from napari_clip_heatmap.evaluation.faithfulness.map_methods import (
    FAITHFULNESS_METHODS,
    MapMethod,
    choose_methods,
)
from napari_clip_heatmap.evaluation.faithfulness.perturbation import FILLS, perturb
from napari_clip_heatmap.scenes import CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.evaluation.faithfulness.stimuli import Stimulus

__all__ = ["measure_faithfulness"]

FEWEST = 2
"""Stimuli below which nothing can be compared; 100 or more are advised."""

_NEED_ATTENTION = frozenset({"gradient x attention", "legrad", "naclip"})


def measure_faithfulness(
    model: ClipModel,
    stimuli: Sequence[Stimulus],
    *,
    methods: Iterable[str] = FAITHFULNESS_METHODS,
    prompts: Sequence[str] = CLASSES,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FaithfulnessReport:
    """Compare ways to make a map by deletion, insertion and localization on the same tiles.

    Parameters
    ----------
    model : ClipModel
        What `load_model` returns.
    stimuli : sequence of Stimulus
        From `draw_stimuli` or `read_stimuli`; 100 or more are advised.
    methods : iterable of str
        Names out of `METHODS`; "exact" is added, as all are compared with it. Those that this
        model's tower does not allow are left out, and named in the report.
    prompts : sequence of str
        Over these the part of relative scores that no patch owns is taken.
    seed : int
        Of the random patches and of the bootstrap.
    progress : callable(done, total)
        Called after each stimulus of each of the two passes.

    Returns
    -------
    FaithfulnessReport
        `str` gives the tables.

    Raises
    ------
    SettingsError
        A method is unknown, or there are too few stimuli or prompts.

    Examples
    --------
    >>> model = load_model("demo")  # doctest: +SKIP
    >>> print(measure_faithfulness(model, draw_stimuli(model, 100, seed=1)))  # doctest: +SKIP
    """
    if len(stimuli) < FEWEST or len(prompts) < FEWEST:
        raise SettingsError(
            f"faithfulness is compared over stimuli and prompts; got {len(stimuli)} and "
            f"{len(prompts)}, and {FEWEST} of each are needed (100 stimuli or more are advised)"
        )
    chosen = choose_methods(("exact", *methods))
    why_not = _obstacle(model, stimuli[0])
    allowed = [each for each in chosen if not (why_not and each.name in _NEED_ATTENTION)]
    total, done = 2 * len(stimuli), 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    gains = np.zeros((len(allowed), len(FILLS), 2, len(stimuli)))  # insertion, deletion
    areas = np.zeros((len(allowed), len(stimuli)))
    for number, stimulus in enumerate(stimuli):
        maps = _maps(model, stimulus, allowed)
        gains[..., number] = _curve_areas(model, stimulus, maps)
        areas[:, number] = [_localization(model, stimulus, each) for each in maps]
        advance()
    effects = measure_effects(
        model, stimuli, prompts, seed, with_attention=why_not is None, advance=advance
    )
    return FaithfulnessReport(
        model=model.describe(),
        methods=tuple((each.name, each.title) for each in allowed),
        left_out=tuple(each.name for each in chosen if each not in allowed),
        insertion=gains[:, :, 0],
        deletion=gains[:, :, 1],
        localization=areas,
        kinds=tuple(each.kind for each in stimuli),
        effects=effects,
        seed=seed,
    )


def _obstacle(model: ClipModel, stimulus: Stimulus) -> DecompositionError | None:
    """Return why this tower's attention cannot be read, if so."""
    try:
        run_with_attention(model.tower, model.preprocess(stimulus.pixels[np.newaxis]))
    except DecompositionError as error:
        return error
    return None


def _maps(
    model: ClipModel, stimulus: Stimulus, methods: Sequence[MapMethod]
) -> list[NDArray[np.float64]]:
    batch = model.preprocess(stimulus.pixels[np.newaxis])
    direction = model.encode_text([stimulus.prompt]).to(batch.device)
    return [each.explain(model, batch, direction)[0].double().cpu().numpy() for each in methods]


def _curve_areas(
    model: ClipModel, stimulus: Stimulus, maps: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return (method, fill, 2): insertion and deletion."""
    direction = model.encode_text([stimulus.prompt])[0]
    by_fill = [perturb(model, stimulus.pixels, direction, maps, fill) for fill in FILLS]
    return np.array(
        [
            [[curves.insertion_area, curves.deletion_area] for curves in of_one]
            for of_one in zip(*by_fill, strict=True)
        ]
    )


def _localization(model: ClipModel, stimulus: Stimulus, values: NDArray[np.float64]) -> float:
    """Return the AUROC of a map against the mask, by pixels."""
    fine = np.kron(values, np.ones(model.patch_size))
    inside = stimulus.mask[: fine.shape[0], : fine.shape[1]]
    if inside.all() or not inside.any():
        return float("nan")
    return auroc(fine[inside], fine[~inside])
