"""Predicted against actual change of the cosine: do contributions tell what happens.

A contribution is exact as a part of the sum. Whether it is also the effect of the patch is another
question: later layers answer to what earlier ones lost, and pixels reach the embedding through
other patches too. Both are measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.evaluation.faithfulness.attention_access import (
    run_with_attention,
    unit_cosine,
)
from napari_clip_heatmap.evaluation.faithfulness.control_methods import cosines

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.evaluation.faithfulness.stimuli import Stimulus

__all__ = ["AdditiveTest", "Effects", "cut_attention", "fill_patches", "measure_effects"]

_PART = 0.1
"""Part of the patches in a set that attention is cut to."""

_N_SETS = 8
"""Sets a stimulus, for each test."""


@dataclass(frozen=True)
class AdditiveTest:
    """Predicted and actual changes of one kind, all stimuli together.

    Parameters
    ----------
    title : str
    predicted, actual : float64 (change,)
        Of the cosine. Predicted: minus the sum of the contributions of the patches.
    """

    title: str
    predicted: NDArray[np.float64]
    actual: NDArray[np.float64]

    @property
    def correlation(self) -> float:
        """Pearson's r; NaN where nothing changes."""
        if not (np.ptp(self.predicted) and np.ptp(self.actual)):
            return float("nan")
        return float(np.corrcoef(self.predicted, self.actual)[0, 1])

    @property
    def slope(self) -> float:
        """Actual change for each unit of predicted change, by least squares through 0."""
        square = float(self.predicted @ self.predicted)
        return float(self.predicted @ self.actual) / square if square else float("nan")


@dataclass(frozen=True)
class Effects:
    """What contributions predict, and what no patch owns.

    Parameters
    ----------
    tests : tuple of AdditiveTest
        Attention cut in all layers, a patch filled, 3 x 3 patches filled; the first is left out
        where the tower's attention cannot be changed.
    unattributed : float64 (stimulus,)
        Part of the variance of a tile's relative scores over prompts that class token, MLPs and
        input bring. Patches bring the rest: the two sum to 1.
    """

    tests: tuple[AdditiveTest, ...]
    unattributed: NDArray[np.float64]


def measure_effects(
    model: ClipModel,
    stimuli: Sequence[Stimulus],
    prompts: Sequence[str],
    seed: int,
    *,
    with_attention: bool = True,
    advance: Callable[[], None] = lambda: None,
) -> Effects:
    """Compare predicted with actual changes on each stimulus.

    Parameters
    ----------
    model : ClipModel
    stimuli : sequence of Stimulus
    prompts : sequence of str
        At least two; over them the variance of relative scores is taken.
    seed : int
        Draws the patches.
    with_attention : bool
        Also cut attention, which takes a tower of plain transformer layers.
    advance : callable
        Called after each stimulus.
    """
    rng = np.random.default_rng(seed)
    kinds = _kinds(model)[0 if with_attention else 1 :]
    predicted: list[list[float]] = [[] for _ in kinds]
    actual: list[list[float]] = [[] for _ in kinds]
    unattributed = []
    directions = model.encode_text(prompts)
    for stimulus in stimuli:
        batch = model.preprocess(stimulus.pixels[np.newaxis])
        direction = model.encode_text([stimulus.prompt])
        contributions = _contributions(model, batch, direction)
        whole = float(cosines(model, batch, direction)[0])
        for number, (_, draw_sets, act) in enumerate(kinds):
            sets = draw_sets(rng)
            scores = act(model, batch[0], direction[0], sets)
            predicted[number] += [-float(contributions[each].sum()) for each in sets]
            actual[number] += (scores.double().cpu().numpy() - whole).tolist()
        unattributed.append(_unattributed(model, batch, directions))
        advance()
    tests = tuple(
        AdditiveTest(title, np.array(one), np.array(other))
        for (title, _, _), one, other in zip(kinds, predicted, actual, strict=True)
    )
    return Effects(tests, np.array(unattributed))


def cut_attention(
    model: ClipModel, image: Tensor, direction: Tensor, sets: NDArray[np.bool_]
) -> Tensor:
    """Return the cosine when the pooled query takes nothing from some patches, in any layer.

    Their weights become 0, and the others stay as they were.

    Parameters
    ----------
    model : ClipModel
    image : Tensor [rgb, y, x]
    direction : Tensor [d_embed]
    sets : bool (set, grid_y, grid_x)

    Returns
    -------
    Tensor [set]
    """
    tower = model.tower
    cut = torch.from_numpy(sets.reshape(len(sets), -1)).to(image.device)
    cut = F.pad(cut, (tower.n_prefix, 0))  # [set, token]
    pooling = tower.head.pool(torch.eye(cut.shape[1], device=image.device)[None])[0]
    asked = pooling != 0  # queries that the embedding is pooled from

    def edit(weights: Tensor) -> Tensor:
        gone = asked[None, None, :, None] & cut[:, None, None, :]
        return weights.masked_fill(gone, 0.0)

    with torch.no_grad():
        batch = image.expand(len(sets), -1, -1, -1)
        run = run_with_attention(tower, batch, edit)
        return unit_cosine(run.representation, direction.expand(len(sets), -1))


def fill_patches(
    model: ClipModel, image: Tensor, direction: Tensor, sets: NDArray[np.bool_]
) -> Tensor:
    """Return the cosine when the pixels of some patches get the image's mean color, [set].

    Parameters
    ----------
    model, image, direction, sets
        As `cut_attention` takes them.
    """
    height, width = model.patch_size
    fine = np.kron(sets, np.ones((1, height, width), bool))
    masks = np.zeros((len(sets), *image.shape[1:]), bool)
    masks[:, : fine.shape[1], : fine.shape[2]] = fine
    mean = image.mean(dim=(1, 2), keepdim=True)
    batch = torch.where(torch.from_numpy(masks).to(image.device)[:, None], mean, image)
    return cosines(model, batch, direction.expand(len(sets), -1))


_DrawSets = Callable[[np.random.Generator], "NDArray[np.bool_]"]
_Act = Callable[["ClipModel", Tensor, Tensor, "NDArray[np.bool_]"], Tensor]


def _kinds(model: ClipModel) -> tuple[tuple[str, _DrawSets, _Act], ...]:
    rows, columns = model.grid

    def scattered(rng: np.random.Generator) -> NDArray[np.bool_]:
        return rng.random((_N_SETS, rows, columns)) < _PART

    def square(side: int) -> _DrawSets:
        def place(rng: np.random.Generator) -> NDArray[np.bool_]:
            sets = np.zeros((_N_SETS, rows, columns), bool)
            for each in sets:
                top = int(rng.integers(max(rows - side, 0) + 1))
                left = int(rng.integers(max(columns - side, 0) + 1))
                each[top : top + side, left : left + side] = True
            return sets

        return place

    return (
        (f"attention cut to {_PART:.0%} of the patches", scattered, cut_attention),
        ("pixels of one patch filled", square(1), fill_patches),
        ("pixels of 3 x 3 patches filled", square(3), fill_patches),
    )


def _contributions(model: ClipModel, batch: Tensor, direction: Tensor) -> NDArray[np.float64]:
    """Return each patch's contribution to the cosine, (grid_y, grid_x)."""
    tokens = model.token_map(batch).tokens[0].double().cpu()
    values: NDArray[np.float64] = (tokens @ direction[0].double()).numpy()
    return values


def _unattributed(model: ClipModel, batch: Tensor, directions: Tensor) -> float:
    """Return the part of the variance over prompts that no patch contributes.

    Relative scores are ``patches + rest``; the rest's part is ``cov(rest, sum) / var(sum)``.
    """
    parts = model.token_map(batch)
    texts = directions.double() - directions.double().mean(dim=0)
    patches = texts @ parts.tokens.sum(dim=(1, 2))[0].double().cpu()
    rest = texts @ parts.rest[0].double().cpu()
    total = patches + rest
    return float((rest @ total) / (total @ total))
