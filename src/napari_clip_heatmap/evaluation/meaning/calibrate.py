"""Set the limits of presence for a model, on images of which it is known what they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.errors import Cancelled, SettingsError
from napari_clip_heatmap.evaluation.gibberish import CLASSIC, UNRELATED, draw_gibberish
from napari_clip_heatmap.evaluation.meaning.example_limits import (
    MarkedImage,
    find_example_limits,
    mark_places,
)
from napari_clip_heatmap.evaluation.meaning.known_images import KnownImage, draw_known, noise_fields
from napari_clip_heatmap.pipeline.calibration import Calibration, TextLimits
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.pipeline.null_reference import judge_texts, make_null_reference
from napari_clip_heatmap.pipeline.presence import strength_of, top_mean
from napari_clip_heatmap.scenes.vocabulary import NAMES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.null_reference import NullReference

__all__ = ["calibrate_model", "scene_side"]

NOISE = "noise"
"""The kind of pictures that show nothing."""

_SMALLEST_SIDE = 256
_PRESENT_BELOW, _ABSENT_ABOVE = 0.01, 0.02
"""Of each kind of image, the part of what is present that may fall below the lower limit, and the
part of what is absent that may reach the upper one: on other images it is somewhat more."""

_FEWEST_NAMES = 20
"""Names on images of a kind, below which their quantiles say nothing."""

_FLAT_TILES, _FLAT_TOKENS = 0.2, 0.6
"""Parts of the smallest deviations on scenes, below which an image counts as flat."""

_UNIFORM, _UNIFORM_AT_MOST = 0.05, 0.2
"""Quantiles of the deviation over tiles of images that show something: below the first an image
looks the same everywhere; noise that answers as things do raises the limit, up to the second."""

_MARGIN = 1.1
"""By how much the limit for gibberish is above the most that it reaches."""

_REGULARIZATION = 1e-3

_MOST_MARKED = 60
"""Images on which examples are made; their tokens stay in memory."""


@dataclass(frozen=True, eq=False)
class _Answers:
    """What one image answers to names.

    Parameters
    ----------
    kind : str
    top : float64 (name,)
        Mean of the highest values of each name.
    null : float
        The same for nonsense, the mean over prompts.
    present : bool (name,)
        Names that are neither present nor absent are left out.
    tokens, tiles : float
        Deviations over patches and over tiles.
    """

    kind: str
    top: NDArray[np.float64]
    null: float
    present: NDArray[np.bool_]
    tokens: float
    tiles: float


def scene_side(model: ClipModel) -> int:
    """Return the height and width of the scenes a model is calibrated on, in pixels."""
    return max(_SMALLEST_SIDE, 2 * max(model.image_size))


def calibrate_model(
    model: ClipModel,
    *,
    images: Sequence[KnownImage] = (),
    n_scenes: int = 120,
    seed: int = 51_000_000,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Calibration:
    """Set the limits of a model on drawn scenes, noise, and images of the user's own.

    Half of the images set limits that are checked on the other half, and the other way round: the
    figures are the mean of both. The limits that are returned come from all images.

    Parameters
    ----------
    model : ClipModel
    images : sequence of KnownImage
        Images of the user's own kinds.
    n_scenes : int
        Drawn scenes; there are a fifth as many pictures of noise.
    seed : int
    progress : callable
        Called with (images done, images in all).
    stopped : callable
        Asked before each image; True ends the work.

    Returns
    -------
    Calibration
        To be written with `Calibration.write`.

    Raises
    ------
    SettingsError
        There are too few images of a kind to set limits.
    Cancelled
        `stopped` said so.

    Examples
    --------
    >>> calibration = calibrate_model(model, n_scenes=120)
    >>> calibration.low < calibration.high
    True
    """
    side, n_noise = scene_side(model), max(8, n_scenes // 5)
    total = n_scenes + n_noise + len(images)
    names = tuple(name for each in NAMES.values() for name in each)
    blank = (KnownImage(NOISE, picture, (), names) for picture in noise_fields(seed, n_noise, side))
    answers: list[_Answers] = []
    marked: list[MarkedImage] = []
    for source in (draw_known(seed, n_scenes, side), blank, images):
        for image in source:
            if stopped():
                raise Cancelled("the calibration was cancelled; nothing was written")
            encoding = encode(model, image.image)
            reference = make_null_reference(encoding)
            answers.append(_ask(image, reference))
            if image.masks and len(marked) < _MOST_MARKED:
                marked.append(
                    mark_places(image, encoding, reference.tokens.tokens, seed + len(marked))
                )
            progress(len(answers), total)
    text = _text_limits(model, seed)
    kinds = sorted({image.kind for image in images})
    source_text = f"{n_scenes} drawn scenes and {n_noise} pictures of noise from seed {seed}" + (
        f"; {len(images)} images of the user's own ({', '.join(kinds)})" if images else ""
    )
    made = _limits(answers, Calibration("", "", "", 0, 0, 0, 0, 0, 0, 0, 0, text=text))
    return replace(
        made,
        weights_sha256=model.weights_sha256,
        model=model.name,
        source=source_text,
        examples=find_example_limits(marked),
        figures=_checked(answers, made),
    )


def _ask(image: KnownImage, reference: NullReference) -> _Answers:
    names = (*image.present, *image.absent)
    top = np.zeros(0)
    if names:
        directions = reference.words.directions((name,) for name in names)
        top = top_mean(directions.astype(np.float32) @ reference.tokens.tokens.T)
    return _Answers(
        kind=image.kind,
        top=top,
        null=reference.tokens.null,
        present=np.arange(len(names)) < len(image.present),
        tokens=reference.tokens.token_deviation,
        tiles=reference.tokens.tile_deviation,
    )


def _limits(answers: Sequence[_Answers], empty: Calibration) -> Calibration:
    """Return the record that some images lead to."""
    named = [each for each in answers if each.kind != NOISE and len(each.top)]
    weights = _fit(named)
    made = replace(empty, top=weights[0], above_null=weights[1], offset=weights[2])
    by_kind = {
        kind: [
            np.concatenate([_strengths(each, made)[each.present == there] for each in named
                            if each.kind == kind])
            for there in (True, False)
        ]
        for kind in dict.fromkeys(each.kind for each in named)
    }  # fmt: skip
    low = [np.quantile(there, _PRESENT_BELOW) for there, _ in by_kind.values() if _enough(there)]
    high = [np.quantile(none, 1 - _ABSENT_ABOVE) for _, none in by_kind.values() if _enough(none)]
    if not low or not high:
        raise SettingsError(
            f"a kind of image needs at least {_FEWEST_NAMES} names that are there, and as many "
            "that are not, over all its images; give more images or draw more scenes"
        )
    made = replace(made, high=float(max(high)), low=float(min(*low, max(high))))
    tiles = np.array([each.tiles for each in named if each.present.any()])
    like_things = [
        each.tiles
        for each in answers
        if each.kind == NOISE and (_strengths(each, made) >= made.high).any()
    ]
    least, most = np.nanquantile(tiles, (_UNIFORM, _UNIFORM_AT_MOST))
    uniform = float(np.clip(_MARGIN * max(like_things, default=0.0), least, most))
    return replace(
        made,
        uniform_tiles=uniform,
        flat_tiles=float(min(_FLAT_TILES * np.nanmin(tiles), uniform)),
        flat_tokens=float(_FLAT_TOKENS * min(each.tokens for each in named if each.present.any())),
    )


def _enough(values: NDArray[np.float64]) -> bool:
    return len(values) >= _FEWEST_NAMES


def _strengths(answers: _Answers, made: Calibration) -> NDArray[np.float64]:
    strengths: NDArray[np.float64] = strength_of(made, answers.top, answers.null)
    return strengths


def _fit(answers: Sequence[_Answers]) -> tuple[float, float, float]:
    """Return the weights and offset of a logistic regression, present and absent names balanced."""
    top = np.concatenate([each.top for each in answers])
    above = np.concatenate([each.top - each.null for each in answers])
    there = np.concatenate([each.present for each in answers]).astype(float)
    if not 0 < there.mean() < 1:
        raise SettingsError(
            "the images must show some of the names and not all of them; give others"
        )
    values = np.stack([top, above], axis=1)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    scaled = np.column_stack([np.ones(len(values)), (values - mean) / deviation])
    balance = np.where(there == 1, 0.5 / there.sum(), 0.5 / (1 - there).sum())

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = scaled @ weights
        penalty = _REGULARIZATION * np.array([0, *weights[1:]])
        value = balance @ (np.logaddexp(0, odds) - there * odds) + penalty @ weights
        return float(value), scaled.T @ (balance * (expit(odds) - there)) + 2 * penalty

    weights = minimize(loss, np.zeros(3), jac=True).x
    slopes = weights[1:] / deviation
    return float(slopes[0]), float(slopes[1]), float(weights[0] - slopes @ mean)


def _text_limits(model: ClipModel, seed: int) -> TextLimits:
    """Return what separates names from gibberish, as far as anything does."""
    kinds = {**draw_gibberish(seed, 100), "classic": CLASSIC, "unrelated": UNRELATED}
    gibberish = [text for texts in kinds.values() for text in texts if text not in NONSENSE]
    names = [name for each in NAMES.values() for name in each]
    reference = make_null_reference(_small_encoding(model))
    texts = [(text,) for text in (*gibberish, *names)]
    answers = judge_texts(reference, texts, reference.words.directions(texts))
    found = np.array([each.dependence for each in answers])
    known_words = model.text.unknown_words("wug") != ()
    # Without a vocabulary, everyday English means something to the model.
    n_senseless = len(gibberish) if known_words else len(gibberish) - len(UNRELATED)
    like_nonsense = float(np.quantile(found[:n_senseless], 0.995))
    typical = float(np.quantile(found[len(gibberish) :], 0.03))
    none = _MARGIN * like_nonsense
    return TextLimits(none=none, good=max(none, (like_nonsense + typical) / 2))


def _small_encoding(model: ClipModel) -> Encoding:
    """Encode anything: texts are judged without an image, and need an encoding to hold them."""
    height, width = model.image_size
    return encode(model, np.arange(height * width, dtype=np.float32).reshape(height, width))


def _checked(answers: Sequence[_Answers], made: Calibration) -> dict[str, float]:
    """Return rates on images that the limits were not set on, in percent."""
    rates: dict[str, list[float]] = {}
    for half in (0, 1):
        limits = _limits(answers[half::2], made)
        for each in answers[1 - half :: 2]:
            strengths = _strengths(each, limits)
            none = (strengths < limits.low) | _is_flat(each, limits)
            is_uniform = each.tiles < limits.uniform_tiles
            good = (strengths >= limits.high) & ~none & (not is_uniform)
            for there, what, found in (
                (True, "present, none", none),
                (True, "present, good", good),
                (False, "absent, good", good),
            ):
                rates.setdefault(f"{each.kind}: {what}", []).extend(found[each.present == there])
    return {
        name: round(100 * float(np.mean(found)), 2) for name, found in rates.items() if len(found)
    }


def _is_flat(answers: _Answers, limits: Calibration) -> bool:
    return answers.tokens < limits.flat_tokens or answers.tiles < limits.flat_tiles
