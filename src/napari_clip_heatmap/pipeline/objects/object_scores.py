"""Objects that exist already, named by words: what each adds to the image's similarity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.geometry import PixelSize, geometry_columns, read_pixel_size
from napari_clip_heatmap.annotation.label_runs import LabelPlane, check_labels
from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.null_reference import (
    NullReference,
    judge_texts,
    make_null_reference,
)
from napari_clip_heatmap.pipeline.objects.object_sums import (
    PlaneSums,
    StackSums,
    merge_planes,
    sum_plane,
)
from napari_clip_heatmap.pipeline.presence import earlier_word, least_trust, level_of, strength_of
from napari_clip_heatmap.pipeline.score_registry import Score
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.prompting.example import Example

__all__ = ["ObjectScores", "score_objects"]


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """What words say of objects that exist already, one row per object.

    ``contribution.sum(axis=0) + outside + rest`` is the similarity of the image to each prompt.

    Parameters
    ----------
    labels : array-like of integers
        As they were given.
    prompts : tuple of str
    label : integer (object,)
        Ascending.
    contribution : float64 (object, prompt)
        Cosine similarity that the object adds to that of the image, whatever the score: the sum
        over its patches, each by the fraction that the object covers.
    mean : float64 (object, prompt)
        Mean over its patches of the map of the score; NaN where nothing of it is known.
    standing : float64 (object, prompt)
        How far the map rises at the object, between its mean over the image, 0, and its maximum,
        1: the mean over the patches of the object, by the square of the fraction of each that it
        covers. What lies below the mean of the map counts as 0. Of a stack, above the mean of each
        plane.
    best : tuple of str
        The prompt with the highest standing.
    margin : float64 (object,)
        Standing of the best prompt minus that of the second; NaN with one prompt.
    rank : float64 (object,)
        Fraction of made-up and senseless words that suit the object less than its best prompt, 0
        to 1: the mean cosine over its patches is compared.
    trust : tuple of Trust
        Whether the best prompt means anything to the model, and its thing is at this object; at
        most "doubtful" where the model is not calibrated.
    verdict : tuple of str
        The word of earlier versions that is nearest to `trust`.
    outside, rest, similarity : float64 (prompt,)
        Contribution of patches to which no label belongs; what belongs to no patch (the class
        token, the MLPs, biases), and by how much tiles that overlap differ from their blend; and
        the cosine similarity of the image. Of a stack, means over planes.
    geometry : mapping of str to array (object,)
        Area, patches, centroid and bounding box.
    notes : tuple of str
    record : mapping
    """

    labels: Any
    prompts: tuple[str, ...]
    label: NDArray[Any]
    contribution: NDArray[np.float64]
    mean: NDArray[np.float64]
    standing: NDArray[np.float64]
    best: tuple[str, ...]
    margin: NDArray[np.float64]
    rank: NDArray[np.float64]
    trust: tuple[Trust, ...]
    verdict: tuple[str, ...]
    outside: NDArray[np.float64]
    rest: NDArray[np.float64]
    similarity: NDArray[np.float64]
    geometry: Mapping[str, NDArray[Any]]
    notes: tuple[str, ...]
    record: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.label)

    @cached_property
    def table(self) -> Table:
        """One row per object; ``contribution`` and ``mean`` have a column for each prompt."""
        by_prompt = {
            f"{name} {prompt}": values[:, number]
            for name, values in (("contribution", self.contribution), ("mean", self.mean))
            for number, prompt in enumerate(self.prompts)
        }
        return Table(
            {
                "label": self.label,
                "prompt": np.array(self.best, object),
                "margin": self.margin,
                "rank": self.rank,
                "verdict": np.array(self.verdict, object),
                "trust": np.array(list(map(str, self.trust)), object),
                **self.geometry,
                **by_prompt,
            }
        )

    def to_pandas(self) -> Any:
        """Return `table` as a pandas DataFrame."""
        return self.table.to_pandas()


def score_objects(
    encoding: Encoding | Iterable[Encoding],
    labels: Any,
    prompts: Iterable[str | Example],
    score: Score = "absolute",
    *,
    baseline: Iterable[str] = (),
    templates: str | Iterable[str] = "plain",
    pixel_size: Any = None,
    unit: str | None = None,
) -> ObjectScores:
    """Name the objects of a segmentation by words, and add up what each of them contributes.

    Labels are read once, block by block; memory grows with the number of objects only.

    Parameters
    ----------
    encoding : Encoding, or iterable of Encoding
        Of the image that was segmented; of a stack, one for each plane in order, from one model.
    labels : array-like of integers (y, x) or (..., y, x)
        Of the shape of the image, 0 for the background: NumPy, dask, zarr. A label that lies in
        several planes is one object.
    prompts, score, baseline, templates
        As `Encoding.heatmaps` takes them. The score shapes ``mean``, and with it ``best``.
    pixel_size : (float, float), optional
        Height and width of a pixel, in `unit`.
    unit : str, optional
        Such as "micrometer".

    Returns
    -------
    ObjectScores

    Raises
    ------
    ImageError
        There is no encoding, or the labels are no integers, negative, all 0, or of another shape.
    PromptError, SettingsError
        As `Encoding.heatmaps` raises them, or the pixel size is none.

    Examples
    --------
    >>> scores = nch.score_objects(encoding, labels, ["nuclei", "filaments"])
    >>> scores.contribution.shape  # (object, prompt)
    (3, 2)
    """
    size = read_pixel_size(pixel_size, unit)
    planes: list[PlaneSums] = []
    nulls: list[NullReference] = []
    for each, layer in _paired(encoding, labels):
        if not planes:
            first, scoring = each, build_scoring(each.text, prompts, score, baseline, templates)
        _check_model(each, first)
        nulls.append(make_null_reference(each, scoring.templates))
        planes.append(sum_plane(each, layer, scoring, nulls[-1].scale.directions))
    sums = merge_planes(planes)
    if not len(sums.label):
        raise ImageError(
            "the labels hold no object: all of them are 0. Take other labels, or make objects "
            "with Heatmaps.objects"
        )
    geometry = _geometry(sums, size, is_stack=len(labels.shape) > 2)
    record = {"model": dict(first.model), "prompts": list(scoring.prompts), "score": score}
    return _judged(labels, sums, scoring, nulls, geometry, record)


def _paired(encoding: Any, labels: Any) -> Iterator[tuple[Encoding, Any]]:
    """Yield each encoding with the labels of its plane, both checked."""
    shape: tuple[int, ...] | None = getattr(labels, "shape", None)
    count = 0
    for each in _encodings(encoding):
        check_labels(labels, (*(shape or ())[:-2], *each.image_shape))
        if count < prod(labels.shape[:-2]):
            index = np.unravel_index(count, labels.shape[:-2])
            yield each, LabelPlane(labels, tuple(map(int, index)))
        count += 1
    if count == 0 or count != prod(labels.shape[:-2]):
        raise ImageError(
            f"the labels have the shape {shape}, and there are {count} encodings; accepted: one "
            "encoding for each plane of the labels"
        )


def _encodings(encoding: Any) -> Iterator[Encoding]:
    several = (encoding,) if isinstance(encoding, Encoding) else encoding
    if not isinstance(several, Iterable):
        raise ImageError(
            f"the encoding is {encoding!r}; accepted: what nch.encode returns for the image that "
            "was segmented, or for a stack one for each plane"
        )
    for each in several:
        if not isinstance(each, Encoding):
            raise ImageError(
                f"one of the encodings is a {type(each).__name__}; accepted: what nch.encode "
                "returns, one for each plane"
            )
        yield each


def _check_model(encoding: Encoding, first: Encoding) -> None:
    name, expected = (each.model.get("weights_sha256") for each in (encoding, first))
    if name != expected:
        raise ImageError(
            f"the planes were encoded by different models, {first.model.get('name')} and "
            f"{encoding.model.get('name')}; encode all planes of a stack with one"
        )


def _judged(
    labels: Any,
    sums: StackSums,
    scoring: Scoring,
    nulls: Sequence[NullReference],
    geometry: Mapping[str, NDArray[Any]],
    record: Mapping[str, Any],
) -> ObjectScores:
    mean, standing = _standing(sums)
    ranked = np.argsort(-np.nan_to_num(standing, nan=-np.inf), axis=1, kind="stable")
    best, row = ranked[:, 0], np.arange(len(ranked))
    second = ranked[:, 1] if ranked.shape[1] > 1 else None
    margin = standing[row, best] - (np.nan if second is None else standing[row, second])
    n_prompts = len(scoring.prompts)
    own, null = sums.cosine[row, best], sums.cosine[:, n_prompts:]
    rank = (null < own[:, np.newaxis]).mean(axis=1)
    total = sums.contribution.sum(axis=0)
    texts = _text_trust(scoring, nulls[0])
    found = _presence(scoring, best, sums.strongest[row, best], nulls)
    trust = tuple(
        least_trust((texts[number], each)) for number, each in zip(best, found, strict=True)
    )
    return ObjectScores(
        labels=labels,
        prompts=scoring.prompts,
        label=sums.label,
        contribution=sums.contribution,
        mean=mean,
        standing=standing,
        best=tuple(scoring.prompts[number] for number in best),
        margin=margin,
        rank=rank,
        trust=trust,
        verdict=tuple(
            str(earlier_word(each, texts[number])) for each, number in zip(trust, best, strict=True)
        ),
        outside=sums.total - total,
        rest=sums.similarity - sums.total,
        similarity=sums.similarity,
        geometry=geometry,
        notes=(*scoring.notes, *_notes(sums)),
        record=record,
    )


def _text_trust(scoring: Scoring, null: NullReference) -> list[Trust]:
    answers = judge_texts(null, scoring.phrases, scoring.text.astype(np.float64))
    trust = [each.finding.trust for each in answers]
    for name, example in scoring.examples.items():
        from napari_clip_heatmap.pipeline.examples.example_verdict import judge_places

        trust[scoring.prompts.index(name)] = judge_places(example).trust
    return trust


def _presence(
    scoring: Scoring,
    best: NDArray[np.intp],
    strongest: NDArray[np.float64],
    nulls: Sequence[NullReference],
) -> list[Trust]:
    """Return for each object whether its best prompt's thing is there."""
    calibration = nulls[0].calibration
    levels = [Trust.UNKNOWN] * len(strongest)
    if calibration is not None:
        null = float(np.mean([each.tokens.null for each in nulls]))
        known = np.isfinite(strongest)
        strengths = np.full(len(strongest), np.nan)
        strengths[known] = strength_of(calibration, strongest[known], null)
        levels = [level_of(calibration, float(strength)) for strength in strengths]
    for name, example in scoring.examples.items():
        from napari_clip_heatmap.pipeline.examples.example_verdict import object_presence

        for number in np.flatnonzero(best == scoring.prompts.index(name)):
            levels[number] = object_presence(example, float(strongest[number]))
    return levels


def _standing(sums: StackSums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of each map over each object, and how far the map rises there."""
    patches = np.where(sums.patches > 0, sums.patches, np.nan)
    mean: NDArray[np.float64] = sums.heat / patches[:, np.newaxis]
    rise = sums.rise / np.where(sums.rise_weight > 0, sums.rise_weight, np.nan)[:, np.newaxis]
    height = sums.map_max - sums.map_mean
    # A map that is the same everywhere speaks for no object.
    standing = np.divide(rise, height, out=np.zeros_like(rise), where=height > 0)
    return mean, standing


def _geometry(
    sums: StackSums, size: PixelSize | None, *, is_stack: bool
) -> Mapping[str, NDArray[Any]]:
    centroid = sums.position_sum / sums.area[:, np.newaxis]
    columns = {"patches": sums.patches, **geometry_columns(sums.area, centroid, sums.bbox, size)}
    if is_stack:
        total, columns["plane_first"], columns["plane_stop"] = sums.planes.T
        columns["centroid_plane"] = total / sums.area
    return columns


def _notes(sums: StackSums) -> Iterator[str]:
    small = int((sums.patches < 1).sum())
    if small:
        yield (
            f"{small} of {len(sums.label)} objects cover less than one patch: what is said of "
            "them is said of their surroundings too."
        )
    unknown = int((sums.patches == 0).sum())
    if unknown:
        yield f"{unknown} objects lie where nothing was encoded; their means are not known."
