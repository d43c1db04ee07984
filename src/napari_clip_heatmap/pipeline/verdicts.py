"""Verdicts: how far to trust each heatmap of an image, and notes on all of them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import shorten
from napari_clip_heatmap.imaging.resolution import Resolution, lattice_resolution
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.null_reference import (
    NullReference,
    correlations,
    distances,
    judge_lists,
    judge_texts,
    make_null_reference,
)
from napari_clip_heatmap.pipeline.presence import (
    earlier_word,
    judge_presence,
    least_trust,
    of_no_patch,
    tokens_at,
)
from napari_clip_heatmap.pipeline.score_registry import Note, NoteKind, Score, alike_notes
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring, unit_directions
from napari_clip_heatmap.pipeline.trust import Finding, Trust, Verdict
from napari_clip_heatmap.prompting.example import Example

__all__ = [
    "Assessment",
    "PromptCheck",
    "PromptVerdict",
    "Trust",
    "Verdict",
    "assess",
    "assess_scoring",
    "judge_prompts",
]

_ALIKE = 0.95
"""Correlation from which two maps are reported as the same."""

ROUNDING = 1e-6
"""Difference of two cosines that may be rounding."""

_MIRRORED = -1 + ROUNDING
"""Correlation up to which two maps are negatives of one another."""


@dataclass(frozen=True)
class PromptVerdict:
    """How far to trust the heatmap of one prompt, why, and the figures behind it.

    Parameters
    ----------
    prompt : str
        As the user wrote it.
    trust : Trust
        The lowest of three answers: of `text`, of `presence`, and whether the map that is shown
        is still the prompt's own (`agreement`).
    text : Trust
        Whether the map depends on the words.
    presence : Trust
        Whether the thing is in this image, or at the place that was asked about: "unknown" where
        the model is not calibrated.
    reasons : tuple of str
        One sentence on the text, one on presence, and one on the list of prompts where that
        changes the map.
    agreement : float or None
        Correlation on this image of the map that is shown with the prompt's own map, without
        what is subtracted; None where a map is flat.
    strength : float or None
        How strongly the image answers, on the scale of the model's calibration; None without one.
    dependence : float
        Distance of the prompt from the nearest nonsense prompt, in units of the distance of
        nonsense prompts from one another: about 1 or less for nonsense.
    similarity : float
        Mean over tiles of the cosine similarity with the prompt.
    unowned : float or None
        The part of `similarity` that no patch contributes (class token, MLPs, input); None where it
        is not known, as in encodings of earlier versions.
    image_score : float
        What the score, before any softmax, gives for the whole image: `similarity` minus what the
        score subtracts.
    score_unowned : float or None
        The part of `image_score` that no patch contributes.
    rank : float
        Fraction of neutral and nonsense prompts that are less similar to the image, 0 to 1.
    residual_variance : float
        Fraction of the map's variance that no nonsense map explains, 0 to 1.
    nearest : str
        The nonsense prompt with the nearest direction.
    nothing_to_see : bool
        Whether the image is nearly constant as the model sees it.

    Examples
    --------
    >>> nch.assess(encoding, ["wug"]).checks[0].trust
    <Trust.NONE: 'none'>
    """

    prompt: str
    trust: Trust
    text: Trust
    presence: Trust
    reasons: tuple[str, ...]
    agreement: float | None
    strength: float | None
    dependence: float
    similarity: float
    unowned: float | None
    image_score: float
    score_unowned: float | None
    rank: float
    residual_variance: float
    nearest: str
    nothing_to_see: bool = False

    @property
    def verdict(self) -> Verdict:
        """The word of earlier versions that is nearest to `trust`."""
        return Verdict.NOTHING if self.nothing_to_see else earlier_word(self.trust, self.text)

    @property
    def advice(self) -> str:
        """All reasons, as one text."""
        return " ".join(self.reasons)

    @property
    def figures(self) -> str:
        """The figures in one line."""
        similarity = f"similarity {self.similarity:.3f}{of_no_patch(self.unowned)}"
        parts = [f"{similarity}, above {self.rank:.0%} of nonsense"]
        if abs(self.image_score - self.similarity) > ROUNDING:
            parts.append(
                f"score of the image {self.image_score:.3f}{of_no_patch(self.score_unowned)}"
            )
        if not self.nothing_to_see:
            parts.append(
                f"{self.dependence:.2f} times as far from nonsense as nonsense from itself"
            )
            if self.strength is not None:
                parts.append(f"strength {self.strength:.1f}")
            if self.agreement is not None:
                parts.append(f"agreement with its own map {self.agreement:.2f}")
        return "; ".join(parts)

    def describe(self) -> dict[str, Any]:
        """Return everything as JSON-able values, the words of earlier versions included."""
        values = {key: each for key, each in asdict(self).items() if key != "nothing_to_see"}
        return {
            **values,
            "reasons": list(self.reasons),
            "verdict": str(self.verdict),
            "advice": self.advice,
        }


PromptCheck = PromptVerdict  # the name of earlier versions


@dataclass(frozen=True)
class Assessment:
    """The verdicts on all maps of a run.

    Parameters
    ----------
    checks : tuple of PromptVerdict
        One per prompt, in order.
    alike : tuple of (str, str, float)
        Pairs of prompts whose maps correlate above 0.95 as shown, with the correlation.
    resolution : Resolution
        Size of a patch and of a tile.
    notes : tuple of str
        Plain sentences on all maps together.
    """

    checks: tuple[PromptVerdict, ...]
    alike: tuple[tuple[str, str, float], ...]
    resolution: Resolution
    notes: tuple[str, ...]


def assess(
    encoding: Encoding,
    prompts: Iterable[str | Example],
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
    >>> for verdict in nch.assess(encoding, ["nuclei", "wug"]).checks:
    ...     print(verdict.prompt, verdict.trust)
    nuclei good
    wug none
    """
    scoring = build_scoring(encoding.text, prompts, score, baseline, templates)
    scoring.require_model(encoding.model)
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
    encoding, scoring, reference
        From `build_scoring` and `make_null_reference`, with the same templates and encoding.
    pixel_size : (y, x)
        Size of an image pixel, in `unit`.
    unit : str
        Such as "micrometer".
    """
    patch_size = _true_resolution(encoding, pixel_size, unit)
    related = _related(scoring, reference)
    checks = judge_prompts(encoding, scoring, reference)
    return Assessment(
        checks=checks,
        alike=tuple(pair for pair in related if pair[2] > _ALIKE),
        resolution=patch_size,
        notes=(
            *_notes(encoding, reference, related, patch_size),
            *_list_notes(scoring, reference, checks),
        ),
    )


def judge_prompts(
    encoding: Encoding,
    scoring: Scoring,
    reference: NullReference,
    at: tuple[float, float] | None = None,
) -> tuple[PromptVerdict, ...]:
    """Judge the map of each prompt; fast enough to follow the cursor.

    Parameters
    ----------
    encoding, scoring, reference
        As `assess_scoring` takes them.
    at : (y, x), optional
        A point in image pixels: presence is then asked of the patch there, and not of the image.
    """
    tokens = None if at is None else tokens_at(encoding, at)
    text = unit_directions(scoring.text)
    shown = scoring.directions[: len(text)].astype(np.float64)
    similarity = text @ reference.embedding
    figures = zip(
        scoring.prompts,
        judge_texts(reference, scoring.phrases, text),
        judge_presence(reference, scoring.phrases, text, tokens),
        judge_lists(reference, scoring, text),
        similarity.tolist(),
        _known(text @ reference.unowned),
        (shown @ reference.embedding).tolist(),
        _known(shown @ reference.unowned),
        reference.rank(similarity).tolist(),
        reference.residual_variance(text).tolist(),
        strict=True,
    )
    nothing = _nothing_to_see(encoding)
    verdicts = []
    for prompt, words, (presence, strength), (own, agreement), *rest in figures:
        cosine, unowned, image_score, score_unowned, rank, residual = rest
        found = (words.finding, nothing or presence, own)
        verdicts.append(
            PromptVerdict(
                prompt=prompt,
                trust=least_trust(each.trust for each in found),
                text=words.finding.trust,
                presence=found[1].trust,
                reasons=tuple(each.reason for each in found if each.reason),
                agreement=agreement,
                strength=strength,
                dependence=words.dependence,
                similarity=cosine,
                unowned=unowned,
                image_score=image_score,
                score_unowned=score_unowned,
                rank=rank,
                residual_variance=residual,
                nearest=words.nearest,
                nothing_to_see=nothing is not None,
            )
        )
    if scoring.examples:
        from napari_clip_heatmap.pipeline.examples.example_verdict import judge_examples

        return judge_examples(encoding, scoring.examples, verdicts, reference, tokens)
    return tuple(verdicts)


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _nothing_to_see(encoding: Encoding) -> Finding | None:
    """Return the finding on an image without content, of which no map means anything."""
    if not encoding.nothing_to_see:
        return None
    what = "image" if encoding.region.is_whole else "region"
    return Finding(
        Trust.NONE,
        f"The {what} is nearly constant as the model sees it, so its map means nothing: choose "
        "another one, or another range of values.",
    )


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


def _notes(
    encoding: Encoding, reference: NullReference, related: _Pairs, patch_size: Resolution
) -> Iterable[str]:
    yield from alike_notes([pair for pair in related if pair[2] > _ALIKE])
    for one, other, correlation in related:
        if correlation < _MIRRORED:
            yield Note(
                f"The maps of '{shorten(one)}' and '{shorten(other)}' are mirrors of one another: "
                "they show which of the two fits better, not whether either is there.",
                NoteKind.MIRRORED_MAPS,
            )
    yield f"True resolution: {patch_size}; anything finer is interpolated."
    if not encoding.complete:
        yield "Not all tiles are done: figures and resolution will change."
    if reference.calibration is None:
        yield (
            "This model is not calibrated, so no map is more than doubtful: whether a thing is in "
            "the image is unknown, and the limits for texts were set with the bundled model. "
            "'clip-heatmap calibrate' sets them for this one."
        )


def _list_notes(
    scoring: Scoring, reference: NullReference, checks: tuple[PromptVerdict, ...]
) -> Iterable[str]:
    """Say what makes the relative maps of this list unreliable."""
    worded = [n for n, each in enumerate(checks) if each.prompt not in scoring.examples]
    if scoring.score != "relative" or len(worded) < 2:
        return
    checks = tuple(checks[n] for n in worded)
    if senseless := [each.prompt for each in checks if each.text is Trust.NONE]:
        yield (
            "What means nothing takes part in the mean that relative subtracts: "
            f"{shorten(', '.join(senseless), 200)}. The score balanced leaves it out."
        )
    text = unit_directions(scoring.text[worded])
    near = np.triu(distances(text, text) < reference.scale.apart, k=1)
    for one, other in np.argwhere(near)[:3]:
        yield (
            f"'{shorten(checks[one].prompt)}' and '{shorten(checks[other].prompt)}' mean the same "
            "to the model, so relative subtracts each from the other; balanced does not."
        )


def _true_resolution(encoding: Encoding, pixel_size: tuple[float, float], unit: str) -> Resolution:
    """Return the size of a patch: of the coarse preview, as long as that replaces tiles."""
    coarser = (1.0, 1.0)
    if encoding.coarse is not None and not encoding.complete:
        rows, columns = encoding.coarse.bounds
        grid = encoding.coarse.tokens.shape
        coarser = (rows.stop - rows.start) / grid[0], (columns.stop - columns.start) / grid[1]
    scale = pixel_size[0] * coarser[0], pixel_size[1] * coarser[1]
    return lattice_resolution(encoding.lattice, scale, unit)
