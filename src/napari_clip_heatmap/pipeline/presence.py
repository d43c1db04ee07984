"""Is a thing anywhere in this image: how its highest patches compare with those of nonsense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.trust import Finding, Trust, Verdict
from napari_clip_heatmap.prompting.language import Phrase

if TYPE_CHECKING:
    from napari_clip_heatmap.imaging.lattice import Axis
    from napari_clip_heatmap.pipeline.calibration import Calibration
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.null_reference import NullReference

__all__ = [
    "LONGEST",
    "ImageTokens",
    "earlier_word",
    "judge_presence",
    "known_tokens",
    "least_trust",
    "level_of",
    "measure_tokens",
    "of_no_patch",
    "spread_windows",
    "strength_of",
    "token_covariance",
    "tokens_at",
    "top_mean",
]

_SEVERAL = re.compile(r"\band\b|\bor\b|[,&+]", re.IGNORECASE)

LONGEST = 12
"""Words up to which a name is taken apart; a longer text is a sentence, not a name."""

TOP = 0.01
"""Fraction of the patches whose mean value stands for the strongest answer on an image."""

_FEWEST_TILES = 4
"""Tiles below which their deviation says nothing."""

_WINDOWS = 16
_SIDE = 16
"""Of a lattice larger than 256 x 256 patches, so many windows an axis, each so wide, are read."""

_DIRECTIONS = 32
"""Nonsense prompts that are multiplied at once, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class ImageTokens:
    """What the model saw of an image or its region, ready to be asked whether a thing is there.

    Parameters
    ----------
    tokens : float32 (patch, d_embed)
        Tokens of the known and valid patches, times the patches of a tile: the cosine that a tile
        would have, if each of its patches contributed what this one does.
    null : float
        Mean over nonsense prompts of their `top_mean`.
    token_deviation : float
        Root of the variance of the tokens over patches, summed over dimensions.
    tile_deviation : float
        Deviation of the embeddings over tiles, the mean over dimensions; NaN with few tiles.
    """

    tokens: NDArray[np.float32]
    null: float
    token_deviation: float
    tile_deviation: float

    @cached_property
    def squares(self) -> NDArray[np.float32]:
        """Squared length of each token, float32 (patch,)."""
        found: NDArray[np.float32] = np.einsum("pd,pd->p", self.tokens, self.tokens)
        return found

    def strengths(
        self,
        directions: NDArray[np.float64],
        calibration: Calibration,
        tokens: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float64]:
        """Return how strongly the image answers, float64 (prompt,); NaN if nothing is known.

        Parameters
        ----------
        directions : float64 (prompt, d_embed)
            Unit text directions.
        calibration : Calibration
        tokens : float32 (patch, d_embed), optional
            Those of a place in the image, scaled as `tokens` are; by default all.
        """
        asked = self.tokens if tokens is None else tokens
        if not len(asked) or not len(self.tokens):
            return np.full(len(directions), np.nan)
        top = top_mean(directions.astype(np.float32) @ asked.T)
        strengths: NDArray[np.float64] = strength_of(calibration, top, self.null)
        return strengths

    def is_flat(self, calibration: Calibration) -> bool:
        """Return whether the model sees no difference between the parts of the image."""
        return self.token_deviation < calibration.flat_tokens or (
            self.tile_deviation < calibration.flat_tiles
        )

    def is_uniform(self, calibration: Calibration) -> bool:
        """Return whether the image looks the same everywhere, as noise or an empty field does."""
        return self.tile_deviation < calibration.uniform_tiles


def strength_of(calibration: Calibration, top: Any, null: Any) -> Any:
    """Return the strength for the `top_mean` of a prompt and that of nonsense."""
    return calibration.top * top + calibration.above_null * (top - null) + calibration.offset


def level_of(calibration: Calibration, strength: float) -> Trust:
    """Return whether a thing is there that an image, or a place, answers to so strongly."""
    if np.isnan(strength):
        return Trust.UNKNOWN
    if strength >= calibration.high:
        return Trust.GOOD
    return Trust.DOUBTFUL if strength >= calibration.low else Trust.NONE


def top_mean(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the mean of the highest hundredth of the values, at least one, along the last axis."""
    count = max(1, round(TOP * values.shape[-1]))
    if count == 1:  # a tenth of the time of a partition
        return np.asarray(values.max(axis=-1), np.float64)
    highest = np.partition(values, values.shape[-1] - count, axis=-1)[..., -count:]
    mean: NDArray[np.float64] = highest.mean(axis=-1, dtype=np.float64)
    return mean


def measure_tokens(encoding: Encoding, nonsense: NDArray[np.float32]) -> ImageTokens:
    """Read what presence is judged by, once per image.

    Parameters
    ----------
    encoding : Encoding
    nonsense : float32 (nonsense, d_embed)
        Unit directions of prompts that mean nothing.
    """
    n_patches = encoding.lattice.y.cells_per_tile * encoding.lattice.x.cells_per_tile
    windows = spread_windows(encoding, _WINDOWS, _SIDE)
    tokens = np.concatenate([known_tokens(encoding, cells) for cells in windows])
    tokens *= np.float32(n_patches)
    if not len(tokens):
        return ImageTokens(tokens, np.nan, 0.0, np.nan)
    tops = [
        top_mean(nonsense[first : first + _DIRECTIONS] @ tokens.T)
        for first in range(0, len(nonsense), _DIRECTIONS)
    ]
    tiles = encoding.tile_embeddings
    enough = len(tiles) >= _FEWEST_TILES
    return ImageTokens(
        tokens=tokens,
        null=float(np.concatenate(tops).mean()),
        token_deviation=float(np.sqrt(tokens.var(axis=0, dtype=np.float64).sum())),
        tile_deviation=float(tiles.std(axis=0, dtype=np.float64).mean()) if enough else np.nan,
    )


def spread_windows(encoding: Encoding, count: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Yield windows on a regular grid that sample the region; all of it if it is small.

    Of a finer lattice only the unshifted cells, so that it changes no verdict.

    Parameters
    ----------
    encoding : Encoding
    count, side : int
        Windows per axis, and cells per window and axis.
    """
    axes = encoding.lattice.y, encoding.lattice.x
    y, x = (
        [_cells_of(patches, axis.parts) for patches in _spread(_patches(each, axis), count, side)]
        for axis, each in zip(axes, encoding.bounds, strict=True)
    )
    yield from product(y, x)


def _patches(cells: slice, axis: Axis) -> slice:
    """Return the unshifted patches among some cells, or before them if there are none."""
    return slice(cells.start // axis.parts, (cells.stop - 1) // axis.parts + 1)


def _cells_of(patches: slice, parts: int) -> slice:
    if parts == 1:
        return patches
    return slice(patches.start * parts, (patches.stop - 1) * parts + 1, parts)


def _spread(cells: slice, count: int, side: int) -> list[slice]:
    if cells.stop - cells.start <= count * side:
        return [cells]
    starts = np.linspace(cells.start, cells.stop - side, count).astype(int)
    return [slice(int(start), int(start) + side) for start in starts]


def known_tokens(encoding: Encoding, cells: tuple[slice, slice]) -> NDArray[np.float32]:
    """Return a copy of the tokens of the cells that are known and valid, (cell, d_embed)."""
    y, x = cells
    if encoding.complete:
        known: NDArray[np.bool_] = encoding.touched[y, x]
        values = encoding.token_map[y, x]
    else:
        basis = np.eye(encoding.token_map.shape[-1], dtype=np.float32)
        values = np.moveaxis(encoding.lattice_values(basis, cells), 0, -1)
        known = np.asarray(np.isfinite(values).all(axis=-1))
    centers = (
        axis.cell_centers(each)
        for axis, each in zip((encoding.lattice.y, encoding.lattice.x), cells, strict=True)
    )
    valid = encoding.validity.read(*centers)
    if valid is not None:
        known = np.logical_and(known, valid)
    chosen: NDArray[np.float32] = values[known]
    return chosen


def tokens_at(encoding: Encoding, at: tuple[float, float]) -> NDArray[np.float32]:
    """Return the token of the patch under a point, as `ImageTokens` scales it; none if unknown."""
    tokens = known_tokens(encoding, encoding.lattice.cell_at(*at))
    n_patches = encoding.lattice.y.cells_per_tile * encoding.lattice.x.cells_per_tile
    return tokens * np.float32(n_patches)


def token_covariance(encoding: Encoding) -> NDArray[np.float64]:
    """Return the covariance over patches of their tokens, (d_embed, d_embed).

    For directions ``s`` and ``t`` the covariance of their maps is ``s @ C @ t``. Of a large
    lattice at most 4096 cells are read, in windows on a regular grid.

    Zero if the region has fewer than two patches that are known and valid.
    """
    windows = spread_windows(encoding, 8, 8)
    tokens = np.concatenate([known_tokens(encoding, cells) for cells in windows])
    if len(tokens) < 2:
        return np.zeros((tokens.shape[1], tokens.shape[1]))
    centered = tokens - tokens.mean(axis=0, dtype=np.float64)
    covariance: NDArray[np.float64] = centered.T @ centered / len(tokens)
    return covariance


def judge_presence(
    reference: NullReference,
    phrases: Sequence[Phrase],
    directions: NDArray[np.float64],
    tokens: NDArray[np.float32] | None = None,
) -> tuple[tuple[Finding, float | None], ...]:
    """Judge whether each thing is in the image, or at a place; with its strength.

    Parameters
    ----------
    reference : NullReference
        With what the model saw of the image.
    phrases, directions
        As `judge_texts` takes them.
    tokens : float32 (patch, d_embed), optional
        Of a place in the image, scaled as `ImageTokens.tokens` are; by default of all of it.
    """
    calibration, image = reference.calibration, reference.tokens
    if calibration is None:
        unknown = Finding(
            Trust.UNKNOWN,
            "Whether it is in this image is not known: this model is not calibrated "
            "('clip-heatmap calibrate' does it).",
        )
        return ((unknown, None),) * len(phrases)
    strengths = image.strengths(directions, calibration, tokens)
    if np.isnan(strengths).any():
        unknown = Finding(Trust.UNKNOWN, "The model has seen nothing here.")
        return ((unknown, None),) * len(phrases)
    levels = [level_of(calibration, float(strength)) for strength in strengths]
    lowest = _lowest_part_strengths(reference, calibration, phrases, levels, tokens)
    for number, (strength, several) in lowest.items():
        if several:
            levels[number] = _capped(levels[number], level_of(calibration, strength))
        if levels[number] is Trust.NONE and strength >= calibration.low:
            levels[number] = Trust.DOUBTFUL
    where = "in this image" if tokens is None else "here"
    return tuple(
        (_presence_finding(level, reference, calibration, where), float(strength))
        for level, strength in zip(levels, strengths, strict=True)
    )


def _capped(level: Trust, most: Trust) -> Trust:
    order = (Trust.NONE, Trust.DOUBTFUL, Trust.GOOD)
    return min(level, most, key=order.index)


def _presence_finding(
    level: Trust, reference: NullReference, calibration: Calibration, where: str
) -> Finding:
    if reference.tokens.is_flat(calibration):
        return Finding(Trust.NONE, "The model sees no difference between the parts of this image.")
    if level is Trust.NONE:
        return Finding(level, f"Not found {where}: no patch answers as such a thing does.")
    if reference.tokens.is_uniform(calibration):
        return Finding(
            Trust.DOUBTFUL, "The image looks the same everywhere, as noise and empty fields do."
        )
    if level is Trust.DOUBTFUL:
        return Finding(
            level, f"It may be {where}, or something like it: the answer is weaker than is usual."
        )
    return Finding(level, f"Found {where}: the highest patches answer as such a thing does.")


def _lowest_part_strengths(
    reference: NullReference,
    calibration: Calibration,
    phrases: Sequence[Phrase],
    levels: Sequence[Trust],
    tokens: NDArray[np.float32] | None,
) -> dict[int, tuple[float, bool]]:
    """Return per prompt that must be taken apart its weakest part, and if it has several parts.

    Of a part such as "green cell nuclei" the best of "green cell nuclei", "cell nuclei" and
    "nuclei" counts; of several names of one thing, the best.
    """
    parts = {
        number: [_parts(name) for name in names]
        for number, (names, level) in enumerate(zip(phrases, levels, strict=True))
        if any(len(name.split()) > 1 for name in names)
    }
    wanted = {
        number: names
        for number, names in parts.items()
        if levels[number] is Trust.NONE or all(len(name) > 1 for name in names)
    }
    texts = dict.fromkeys(
        text for names in wanted.values() for name in names for part in name for text in part
    )
    if not texts:
        return {}
    directions = reference.words.directions((text,) for text in texts)
    found = reference.tokens.strengths(directions, calibration, tokens)
    strength = dict(zip(texts, found.tolist(), strict=True))
    return {
        number: (
            max(min(max(strength[text] for text in part) for part in name) for name in names),
            all(len(name) > 1 for name in names),
        )
        for number, names in wanted.items()
    }


def _parts(name: str) -> list[list[str]]:
    """Return the things that a name lists, each with the ends of it that may name it alone."""
    if len(name.split()) > LONGEST:
        return [[name]]
    parts = [part.split() for part in _SEVERAL.split(name) if part.strip()]
    return [[" ".join(words[first:]) for first in range(len(words))] for words in parts] or [[name]]


def least_trust(answers: Iterable[Trust]) -> Trust:
    """Return the lowest of several answers; where one is unknown, the result is doubtful at most.

    Examples
    --------
    >>> least_trust([Trust.GOOD, Trust.UNKNOWN])
    <Trust.DOUBTFUL: 'doubtful'>
    """
    found = set(answers)
    if Trust.NONE in found:
        return Trust.NONE
    return Trust.DOUBTFUL if found & {Trust.DOUBTFUL, Trust.UNKNOWN} else Trust.GOOD


def earlier_word(trust: Trust, text: Trust) -> Verdict:
    """Return the word of earlier versions that is nearest to a trust and what the text gives."""
    if text is Trust.NONE:
        return Verdict.HARDLY
    return Verdict.CLEAR if trust is Trust.GOOD else Verdict.WEAK


def of_no_patch(part: float | None) -> str:
    """Return how much of a figure belongs to no patch, to follow that figure; empty if unknown.

    Examples
    --------
    >>> of_no_patch(0.125)
    ' (of it 0.125 belongs to no patch)'
    """
    return "" if part is None else f" (of it {part:.3f} belongs to no patch)"
