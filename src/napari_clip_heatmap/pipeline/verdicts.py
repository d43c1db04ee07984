"""Verdicts: how much each heatmap depends on its text, and how far to trust it."""

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
from napari_clip_heatmap.pipeline.score_registry import Note, NoteKind, Score
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring
from napari_clip_heatmap.prompting.language import parse_prompt

__all__ = [
    "CLEAR_FROM",
    "LIKE_NONSENSE",
    "Assessment",
    "PromptCheck",
    "Verdict",
    "assess",
    "assess_scoring",
    "verdict_advice",
    "verdict_of",
]


_ALIKE = 0.95
"""Correlation from which two maps are reported as the same."""

_MIRRORED = -1 + 1e-6
"""Correlation up to which two maps are negatives of one another, up to rounding."""

_CALIBRATED_ON = "demo"


# Calibrated with the bundled model on drawn scenes and real images; docs/honesty.md has the
# distributions, and `clip-heatmap honesty` measures them again.
LIKE_NONSENSE = 1.2
"""Dependence below which a prompt hardly differs from nonsense."""

CLEAR_FROM = 1.45
"""Dependence from which the text clearly shapes the map."""

_TYPICAL_RANK = 0.5
"""Rank of similarity below which most nonsense is more similar to the image than the prompt."""


class Verdict(StrEnum):
    """How far to trust a map: whether it depends on its text, and whether there is an image."""

    CLEAR = "clear"
    WEAK = "weak"
    HARDLY = "hardly depends on the text"
    NOTHING = "nothing to see"


@dataclass(frozen=True)
class PromptCheck:
    """The figures of one prompt, and the verdict on its map.

    Parameters
    ----------
    prompt : str
        As the user wrote it.
    similarity : float
        Cosine similarity of the whole image with the prompt.
    rank : float
        Fraction of neutral and nonsense prompts that are less similar to the image, 0 to 1.
    dependence : float
        Distance of the map from that of the nearest nonsense prompt, in units of the distance of
        nonsense maps from one another: about 1 or less for nonsense.
    residual_variance : float
        Fraction of the map's variance that no nonsense map explains, 0 to 1.
    nearest : str
        The nonsense prompt with the nearest map.
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
        if self.verdict is Verdict.NOTHING:
            return f"similarity {self.similarity:.3f}"
        return (
            f"similarity {self.similarity:.3f}, above {self.rank:.0%} of neutral and nonsense "
            f"prompts; {self.dependence:.1f} times as far from nonsense as nonsense from itself; "
            f"{self.residual_variance:.0%} of the map's variance is explained neither by "
            f"'{self.nearest}' nor by any other nonsense"
        )


def verdict_of(dependence: float, rank: float) -> Verdict:
    """Return the verdict for the figures of a `PromptCheck`."""
    if dependence < LIKE_NONSENSE:
        return Verdict.HARDLY
    if dependence < CLEAR_FROM or rank < _TYPICAL_RANK:
        return Verdict.WEAK
    return Verdict.CLEAR


def verdict_advice(verdict: Verdict, dependence: float, nearest: str, *, unknown: bool) -> str:
    """Return what to do, in one sentence; `unknown`: the model never learned some of its words."""
    if verdict is Verdict.HARDLY and unknown:
        return (
            "The model was never trained on some of its words, so the map can only come from "
            "pieces of them: use words that the model knows."
        )
    if verdict is Verdict.HARDLY:
        return (
            f"Its map is much like that of '{nearest}', which means nothing: name one thing in "
            "plain words, or use a model that knows the subject."
        )
    if verdict is Verdict.WEAK and dependence < CLEAR_FROM:
        return f"Its map differs only little from that of '{nearest}': compare the two first."
    if verdict is Verdict.WEAK:
        return (
            "The image as a whole is no more similar to this than to nonsense: what the map shows "
            "may be the most similar thing, and not the thing itself."
        )
    return "The map depends on the text: check where it is red, then use it."


@dataclass(frozen=True)
class Assessment:
    """The verdicts on all maps of a run.

    Parameters
    ----------
    checks : tuple of PromptCheck
        One per prompt, in order.
    alike : tuple of (str, str, float)
        Pairs of prompts whose maps correlate above 0.95 as shown, with the correlation.
    resolution : Resolution
        Size of a patch and of a tile.
    notes : tuple of str
        Plain sentences on all maps together.
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
    """Judge the maps that `Encoding.heatmaps` returns for the same arguments.

    Raises
    ------
    PromptError
        As `Encoding.heatmaps` does.

    Examples
    --------
    >>> for check in nch.assess(encoding, ["nuclei", "wug"]).checks:
    ...     print(check.prompt, check.verdict)
    nuclei clear
    wug hardly depends on the text
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
    """Judge maps with a null reference made before; fast enough to run while the user types.

    Parameters
    ----------
    encoding : Encoding
    scoring : Scoring
        From `build_scoring`, with the templates of the reference.
    reference : NullReference
        From `make_null_reference`, of the same encoding.
    pixel_size : (y, x)
        Size of an image pixel, in `unit`.
    unit : str
        Such as "micrometer".
    """
    patch_size = _true_resolution(encoding, pixel_size, unit)
    related = _related(scoring, reference)
    return Assessment(
        checks=_checks(encoding, scoring, reference),
        alike=tuple(pair for pair in related if pair[2] > _ALIKE),
        resolution=patch_size,
        notes=tuple(_notes(encoding, related, patch_size)),
    )


def _checks(
    encoding: Encoding, scoring: Scoring, reference: NullReference
) -> tuple[PromptCheck, ...]:
    if encoding.nothing_to_see:
        return tuple(_nothing_to_see(encoding, scoring, reference))
    text = _unit(scoring.text)
    similarity = text @ reference.embedding
    rank, residual = reference.rank(similarity), reference.residual_variance(text)
    dependence, nearest = reference.dependence(text)
    dependence[~text.any(axis=1)] = 0  # synonyms that cancel say nothing
    replaced = _with_unknown_words_replaced(reference, scoring.prompts)
    for number, (less, alike) in replaced.items():
        if less < dependence[number]:
            dependence[number], nearest[number] = less, alike
    checks = []
    for number, prompt in enumerate(scoring.prompts):
        distance, like = float(dependence[number]), NONSENSE[nearest[number]]
        verdict = verdict_of(distance, float(rank[number]))
        checks.append(
            PromptCheck(
                prompt=prompt,
                similarity=float(similarity[number]),
                rank=float(rank[number]),
                dependence=distance,
                residual_variance=float(residual[number]),
                nearest=like,
                verdict=verdict,
                advice=verdict_advice(verdict, distance, like, unknown=number in replaced),
            )
        )
    return tuple(checks)


def _nothing_to_see(
    encoding: Encoding, scoring: Scoring, reference: NullReference
) -> Iterable[PromptCheck]:
    """Yield the checks of an image without content: no figure says anything about its maps."""
    similarity = _unit(scoring.text) @ reference.embedding
    what = "image" if encoding.region.is_whole else "region"
    for number, prompt in enumerate(scoring.prompts):
        yield PromptCheck(
            prompt=prompt,
            similarity=float(similarity[number]),
            rank=0.0,
            dependence=0.0,
            residual_variance=0.0,
            nearest="",
            verdict=Verdict.NOTHING,
            advice=(
                f"The {what} is nearly constant as the model sees it, so its map means nothing: "
                "choose another one, or another range of values."
            ),
        )


def _with_unknown_words_replaced(
    reference: NullReference, prompts: Iterable[str]
) -> dict[int, tuple[float, int]]:
    """Return dependence and nearest nonsense of prompts with words the model never learned.

    These words are replaced by `STAND_IN`: they cannot mean anything to the model, even if parts of
    them are pieces of words that it knows. Prompts of known words are left out, and so are all
    prompts if the model's vocabulary is not known.
    """
    encoder = reference.words.encoder

    def stand_in(word: re.Match[str]) -> str:
        return STAND_IN if encoder.unknown_words(word[0]) else word[0]

    changed = {}
    for number, prompt in enumerate(prompts):
        names = parse_prompt(prompt).names
        stood_in = tuple(dict.fromkeys(re.sub(r"\w+", stand_in, name) for name in names))
        if stood_in != names:
            changed[number] = stood_in
    if not changed:
        return {}
    dependence, nearest = reference.dependence(reference.words.directions(changed.values()))
    return dict(zip(changed, zip(dependence.tolist(), nearest.tolist(), strict=True), strict=True))


_Pairs = tuple[tuple[str, str, float], ...]


def _related(scoring: Scoring, reference: NullReference) -> _Pairs:
    """Return every pair of prompts with the correlation of their maps as shown."""
    directions = scoring.directions.astype(np.float64)
    shown = scoring.method.map_directions(directions, len(scoring.prompts))
    related = correlations(reference.covariance, shown, shown)
    return tuple(
        (scoring.prompts[one], scoring.prompts[other], float(related[one, other]))
        for one, other in zip(*np.triu_indices(len(shown), k=1), strict=True)
    )


def _notes(encoding: Encoding, related: _Pairs, patch_size: Resolution) -> Iterable[str]:
    for one, other, correlation in related:
        if correlation > _ALIKE:
            yield (
                f"The maps of '{one}' and '{other}' are nearly the same "
                f"(correlation {correlation:.2f})."
            )
        if correlation < _MIRRORED:
            yield Note(
                f"The maps of '{one}' and '{other}' are mirrors of one another: they show which of "
                "the two fits better, not whether either is there.",
                NoteKind.MIRRORED_MAPS,
            )
    yield f"True resolution: {patch_size}; anything finer is interpolated."
    if not encoding.complete:
        yield "Not all tiles are done: figures and resolution will change."
    if encoding.model.get("name") != _CALIBRATED_ON:
        yield (
            "The limits of these verdicts were set with the bundled model; with this model, use "
            "them as a guide and compare the figures with one another."
        )


def _true_resolution(encoding: Encoding, pixel_size: tuple[float, float], unit: str) -> Resolution:
    """Return the size of a patch: of the coarse preview, as long as that replaces tiles."""
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
