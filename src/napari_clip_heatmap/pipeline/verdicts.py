"""How much each map owes to its text, and what to think of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.resolution import Resolution, resolution
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.null_reference import (
    NONSENSE,
    STAND_IN,
    NullReference,
    correlations,
    make_null_reference,
)
from napari_clip_heatmap.pipeline.score_registry import Score
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring
from napari_clip_heatmap.prompting.language import parse_prompt

__all__ = [
    "CLEAR_FROM",
    "LIKE_NONSENSE",
    "Assessment",
    "PromptCheck",
    "Verdict",
    "advice_for",
    "assess",
    "assess_scoring",
    "verdict_of",
]


_ALIKE = 0.95
"""Correlation from which two maps are told to be the same."""

_MIRRORED = -1 + 1e-6
"""Correlation up to which two maps are the negatives of one another but for rounding."""

_CALIBRATED_ON = "demo"


@dataclass(frozen=True)
class Assessment:
    """What a run's maps are worth.

    Parameters
    ----------
    checks : tuple of PromptCheck
        One per prompt, in order.
    alike : tuple of (str, str, float)
        Prompts whose maps, as they are shown, correlate above 0.95, with the correlation.
    resolution : Resolution
        What a patch and a tile of the map measure.
    notes : tuple of str
        Plain sentences on all of the maps.
    """

    checks: tuple[PromptCheck, ...]
    alike: tuple[tuple[str, str, float], ...]
    resolution: Resolution
    notes: tuple[str, ...]


def assess(
    encoding: Encoding,
    prompts: Iterable[str],
    score: Score = "relative",
    *,
    baseline: Iterable[str] = (),
    templates: str | Iterable[str] = "plain",
) -> Assessment:
    """Judge the maps that `Encoding.heatmaps` gives for the same arguments.

    Raises
    ------
    PromptError
        As `Encoding.heatmaps` does.
    """
    scoring = build_scoring(encoding.text, prompts, score, baseline, templates)
    return assess_scoring(encoding, scoring, make_null_reference(encoding, scoring.templates))


def assess_scoring(
    encoding: Encoding,
    scoring: Scoring,
    reference: NullReference,
    *,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    unit: str = "pixel",
) -> Assessment:
    """Judge maps with a reference that was made before: a few products, so while typing.

    Parameters
    ----------
    encoding : Encoding
    scoring : Scoring
        From `build_scoring`, with the reference's templates.
    reference : NullReference
        From `make_null_reference`, of the same encoding.
    pixel_size : (y, x)
        Of an image pixel, in `unit`.
    unit : str
        Such as "micrometer".
    """
    grain = _true_resolution(encoding, pixel_size, unit)
    related = _related(scoring, reference)
    return Assessment(
        checks=_checks(scoring, reference),
        alike=tuple(pair for pair in related if pair[2] > _ALIKE),
        resolution=grain,
        notes=tuple(_notes(encoding, related, grain)),
    )


def _checks(scoring: Scoring, reference: NullReference) -> tuple[PromptCheck, ...]:
    text = _unit(scoring.text)
    similarity = text @ reference.embedding
    rank, own = reference.rank(similarity), reference.residual_variance(text)
    dependence, nearest = reference.dependence(text)
    dependence[~text.any(axis=1)] = 0  # synonyms that cancel say nothing
    known = _without_unmet_words(reference, scoring.prompts)
    for number, (less, alike) in known.items():
        if less < dependence[number]:
            dependence[number], nearest[number] = less, alike
    checks = []
    for number, prompt in enumerate(scoring.prompts):
        far, near = float(dependence[number]), NONSENSE[nearest[number]]
        verdict = verdict_of(far, float(rank[number]))
        checks.append(
            PromptCheck(
                prompt=prompt,
                similarity=float(similarity[number]),
                rank=float(rank[number]),
                dependence=far,
                residual_variance=float(own[number]),
                nearest=near,
                verdict=verdict,
                advice=advice_for(verdict, far, near, unmet=number in known),
            )
        )
    return tuple(checks)


def _without_unmet_words(
    reference: NullReference, prompts: Iterable[str]
) -> dict[int, tuple[float, int]]:
    """Return dependence, and the nearest nonsense, of prompts with words the model never met.

    With `STAND_IN` in the place of these words: what a model never learnt cannot mean anything to
    it, though letters of it may be pieces of words that it did learn. Prompts of known words alone
    are left out; so are all, where it is not known which words a model met.
    """
    encoder = reference.words.encoder

    def stand_in(word: re.Match[str]) -> str:
        return STAND_IN if encoder.unknown_words(word[0]) else word[0]

    changed = {}
    for number, prompt in enumerate(prompts):
        names = parse_prompt(prompt).names
        known = tuple(dict.fromkeys(re.sub(r"\w+", stand_in, name) for name in names))
        if known != names:
            changed[number] = known
    if not changed:
        return {}
    dependence, nearest = reference.dependence(reference.words.directions(changed.values()))
    return dict(zip(changed, zip(dependence.tolist(), nearest.tolist(), strict=True), strict=True))


_Pairs = tuple[tuple[str, str, float], ...]


def _related(scoring: Scoring, reference: NullReference) -> _Pairs:
    """Return every pair of prompts with the correlation of their maps as they are shown."""
    directions = scoring.directions.astype(np.float64)
    shown = scoring.method.map_directions(directions, len(scoring.prompts))
    related = correlations(reference.covariance, shown, shown)
    return tuple(
        (scoring.prompts[one], scoring.prompts[other], float(related[one, other]))
        for one, other in zip(*np.triu_indices(len(shown), k=1), strict=True)
    )


def _notes(encoding: Encoding, related: _Pairs, grain: Resolution) -> Iterable[str]:
    for one, other, correlation in related:
        if correlation > _ALIKE:
            yield (
                f"The maps of '{one}' and '{other}' are nearly the same "
                f"(correlation {correlation:.2f})."
            )
        if correlation < _MIRRORED:
            yield (
                f"The maps of '{one}' and '{other}' are mirrors of one another: they say which of "
                "the two fits better, and not that either is there."
            )
    yield f"True resolution: {grain}; anything finer is interpolated."
    if not encoding.complete:
        yield "Not all tiles are done: figures and resolution will change."
    if encoding.model.get("name") != _CALIBRATED_ON:
        yield (
            "The limits of these verdicts were set with the bundled model; with this one, take "
            "them as a guide and compare the figures with one another."
        )


def _true_resolution(encoding: Encoding, pixel_size: tuple[float, float], unit: str) -> Resolution:
    """Return what a patch measures; that of the coarse look, while that stands in for tiles."""
    y, x = encoding.lattice.y, encoding.lattice.x
    coarser = (1.0, 1.0)
    if encoding.coarse is not None and not encoding.complete:
        rows, columns = encoding.coarse.bounds
        grid = encoding.coarse.tokens.shape
        coarser = (rows.stop - rows.start) / grid[0], (columns.stop - columns.start) / grid[1]
    return resolution(
        (y.patch, x.patch),
        (y.tile, x.tile),
        (
            y.image / y.working * pixel_size[0] * coarser[0],
            x.image / x.working * pixel_size[1] * coarser[1],
        ),
        unit,
    )


def _unit(directions: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = directions.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
    return unit


# Calibrated with the bundled model on drawn scenes and real images; docs/honesty.md has the
# distributions, `clip-heatmap honesty` measures them anew.
LIKE_NONSENSE = 1.2
"""Dependence below which a prompt hardly differs from nonsense."""

CLEAR_FROM = 1.45
"""Dependence from which the text clearly shapes the map."""

_TYPICAL_RANK = 0.5
"""Rank of similarity below which most nonsense is nearer to the image than the prompt is."""


class Verdict(StrEnum):
    """What a map is worth, as far as its text goes."""

    CLEAR = "clear"
    WEAK = "weak"
    HARDLY = "hardly depends on the text"


@dataclass(frozen=True)
class PromptCheck:
    """What was found of one prompt.

    Parameters
    ----------
    prompt : str
        As the user wrote it.
    similarity : float
        Cosine of the whole image with the prompt.
    rank : float
        Share of neutral and nonsense prompts that are less similar to the image, 0 to 1.
    dependence : float
        How far the map is from that of any nonsense, in units of what nonsense maps are from one
        another: about 1 or less for nonsense.
    residual_variance : float
        Share of the map's variance that no nonsense map explains, 0 to 1.
    nearest : str
        The nonsense prompt whose map is nearest.
    verdict : Verdict
    advice : str
        One sentence.
    """

    prompt: str
    similarity: float
    rank: float
    dependence: float
    residual_variance: float
    nearest: str
    verdict: Verdict
    advice: str

    @property
    def figures(self) -> str:
        """The figures in one line."""
        return (
            f"similarity {self.similarity:.3f}, above {self.rank:.0%} of neutral and nonsense "
            f"prompts; {self.dependence:.1f} times as far from nonsense as nonsense from itself; "
            f"{self.residual_variance:.0%} of the map's variance is explained neither by "
            f"'{self.nearest}' nor by any other nonsense"
        )


def verdict_of(dependence: float, rank: float) -> Verdict:
    """Return the verdict on figures of a `PromptCheck`."""
    if dependence < LIKE_NONSENSE:
        return Verdict.HARDLY
    if dependence < CLEAR_FROM or rank < _TYPICAL_RANK:
        return Verdict.WEAK
    return Verdict.CLEAR


def advice_for(verdict: Verdict, dependence: float, nearest: str, *, unmet: bool) -> str:
    """Say in one sentence what to do; `unmet`: it has words that the model never met."""
    if verdict is Verdict.HARDLY and unmet:
        return (
            "The model was never trained on words in it, so its map can only come from pieces of "
            "them: use words that it knows."
        )
    if verdict is Verdict.HARDLY:
        return (
            f"Its map is much like that of '{nearest}', which means nothing: name one thing in "
            "plain words, or use a model that knows the subject."
        )
    if verdict is Verdict.WEAK and dependence < CLEAR_FROM:
        return f"Its map differs from that of '{nearest}' but little: compare the two first."
    if verdict is Verdict.WEAK:
        return (
            "The image as a whole is no more like this than like nonsense: what the map shows may "
            "be the nearest thing to it, and not it."
        )
    return "The text shapes this map: check where it is red, then use it."
