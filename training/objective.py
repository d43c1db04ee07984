"""What is to be learnt: of every caption whether it is true of a picture, and of which patches."""

from __future__ import annotations

import math

import numpy as np
import torch
from einops import rearrange, reduce
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.captions import FALSE, TRUE, UNCLEAR
from training.export import PREPROCESS_CONFIG

__all__ = [
    "Heads",
    "agreement",
    "caption_losses",
    "contrastive",
    "mean_of_bags",
    "of_bags",
    "place_losses",
    "preprocess",
    "strongest",
    "student_losses",
    "yes_or_no",
]

_MATCH, _FIND = 0.15, 0.05
"""Weights of the image tower's losses: of bags with captions, and of the strongest patch of a bag
with captions. What it is taught of single patches has the weight 1."""

_PLACE, _APART = 0.1, 0.3
"""Weights of the losses of single patches: of judging each caption, and of telling them apart."""

_COVERED = 0.5
"""Share of a patch above which a caption is what it shows."""

_NEVER = -1e4
"""A logit that is never reached; unlike infinity it has a gradient of 0 where nothing is wrong."""
_MEAN, _STD = PREPROCESS_CONFIG["mean"][0], PREPROCESS_CONFIG["std"][0]


class Heads(nn.Module):
    """Logarithm of the scales of the student's two losses, and the bias of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Parameter(torch.tensor(math.log(10.0)))
        self.patch = nn.Parameter(torch.tensor([math.log(10.0), -2.5]))


def preprocess(images: NDArray[np.uint8], device: torch.device | str | None = None) -> Tensor:
    """Return views, ``(view, y, x, 3)``, as the image tower takes them, ``(view, 3, y, x)``."""
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div(255)
    return (pixels - _MEAN) / _STD


def contrastive(logits: Tensor, states: Tensor) -> Tensor:
    """Return CLIP's loss, both ways, where several captions are true of a view.

    Parameters
    ----------
    logits : Tensor (view, caption)
    states : Tensor (view, caption)
        TRUE, FALSE or UNCLEAR.
    """
    return 0.5 * (_one_way(logits, states) + _one_way(logits.T, states.T))


def _one_way(logits: Tensor, states: Tensor) -> Tensor:
    """Tell each true pair from the false pairs of its row; the other true ones stand aside."""
    wrong = logits.masked_fill(states != FALSE, _NEVER).logsumexp(1, keepdim=True)
    loss = F.softplus(wrong - logits)  # -log(e^right / (e^right + sum of e^wrong))
    true = states == TRUE
    return loss[true].sum() / true.sum()


def strongest(evidence: Tensor) -> Tensor:
    """Return the evidence of whole pictures: a smooth maximum over (view, caption, y, x).

    A caption is true of a picture if it is true somewhere in it.
    """
    n_cells = evidence.shape[-2] * evidence.shape[-1]
    return evidence.flatten(2).logsumexp(-1) - math.log(n_cells)


def of_bags(evidence: Tensor, states: Tensor, bags: Tensor) -> tuple[Tensor, Tensor]:
    """Return evidence and states of bags instead of views, both (bag, caption).

    A caption is true of a bag if it is true of one of its views: again a smooth maximum.

    Parameters
    ----------
    evidence, states : Tensor (view, caption)
        The views of a bag have the same states.
    bags : Tensor (view,) int64
        Number of the bag of each view.
    """
    numbers, inverse = bags.unique(return_inverse=True)
    members = inverse[None] == torch.arange(len(numbers), device=bags.device)[:, None]
    joined = evidence[None].masked_fill(~members[..., None], _NEVER).logsumexp(1)
    first = members.int().argmax(1)
    return joined - members.sum(1, keepdim=True).log(), states[first]


def mean_of_bags(similarity: Tensor, states: Tensor, bags: Tensor) -> tuple[Tensor, Tensor]:
    """Return similarities and states of bags instead of views, both (bag, caption).

    The similarity of a bag is the mean over its views, as that of an image is over its tiles.

    Parameters
    ----------
    similarity, states : Tensor (view, caption)
        The views of a bag have the same states.
    bags : Tensor (view,) int64
        Number of the bag of each view.
    """
    numbers, inverse = bags.unique(return_inverse=True)
    members = (inverse[None] == torch.arange(len(numbers), device=bags.device)[:, None]).float()
    mean = members @ similarity / members.sum(1, keepdim=True)
    return mean, states[members.int().argmax(1)]


def yes_or_no(logits: Tensor, states: Tensor) -> Tensor:
    """Return the mean cross-entropy of judging each clear pair (view, caption) on its own."""
    known = (states != UNCLEAR).float()
    target = (states == TRUE).float()
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * known).sum() / known.sum()


def agreement(evidence: Tensor, taught: Tensor, states: Tensor) -> Tensor:
    """Return the cross-entropy of a student's patches with what the teacher says of them.

    The teacher is not believed where it finds what a view does not show.

    Parameters
    ----------
    evidence : Tensor (view, patch, caption)
        The student's, as logits.
    taught : Tensor (view, caption, y, x)
        The teacher's, as logits, over cells that are a whole number to a patch.
    states : Tensor (view, caption)
    """
    n_patches = math.isqrt(evidence.shape[1])
    target = reduce(
        taught.sigmoid(),
        "view caption (row y) (column x) -> view (row column) caption",
        "mean",
        row=n_patches,
        column=n_patches,
    )
    target = target * (states != FALSE)[:, None]
    return F.binary_cross_entropy_with_logits(evidence, target)


def student_losses(
    heads: Heads,
    found: tuple[Tensor, Tensor],
    texts: Tensor,
    taught: Tensor,
    states: Tensor,
    bags: Tensor,
) -> dict[str, Tensor]:
    """Return what the image tower makes small while it has a teacher.

    Parameters
    ----------
    heads, found, texts, states, bags
        As `caption_losses` takes them.
    taught : Tensor (view, caption, y, x)
        The teacher's evidence.
    """
    evidence = _patch_evidence(heads, found[1], texts)
    return {
        "agree": agreement(evidence, taught, states),
        **caption_losses(heads, found, texts, states, bags),
    }


def caption_losses(
    heads: Heads, found: tuple[Tensor, Tensor], texts: Tensor, states: Tensor, bags: Tensor
) -> dict[str, Tensor]:
    """Return what the image tower makes small with captions alone.

    Parameters
    ----------
    heads : Heads
    found : Tensor (view, d_embed), Tensor (view, patch, d_embed)
        Embeddings of the views, and the token map.
    texts : Tensor (caption, d_embed)
        Unit directions.
    states : Tensor (view, caption)
    bags : Tensor (view,) int64
    """
    embedding, token_map = found
    similarity = heads.image.exp() * embedding @ texts.T
    in_views = strongest(_patch_evidence(heads, token_map, texts).mT[..., None])
    return {
        "match": _MATCH * contrastive(*mean_of_bags(similarity, states, bags)),
        "find": _FIND * yes_or_no(*of_bags(in_views, states, bags)),
    }


def place_losses(
    heads: Heads, token_map: Tensor, texts: Tensor, shares: Tensor
) -> dict[str, Tensor]:
    """Return what the image tower makes small where it is known what captions cover.

    Parameters
    ----------
    heads : Heads
    token_map : Tensor (view, patch, d_embed)
    texts : Tensor (caption, d_embed)
        Unit directions.
    shares : Tensor (view, caption, row, column)
        As `caption_shares` gives them: NaN where nobody knows.
    """
    evidence = _patch_evidence(heads, token_map, texts)
    target = rearrange(shares, "view caption row column -> view (row column) caption")
    known = ~target.isnan()
    target = target.nan_to_num(0)
    loss = F.binary_cross_entropy_with_logits(evidence, target, reduction="none")
    # Each share of a patch that is covered counts as much, however many captions are false there.
    place = (loss * known).sum() / target.sum().clamp(min=1)
    clear = torch.full_like(target, UNCLEAR)
    clear[known & (target == 0)] = FALSE
    clear[target > _COVERED] = TRUE
    shown = (clear == TRUE).any(-1)
    apart = _one_way(evidence[shown], clear[shown]) if shown.any() else evidence.sum() * 0
    return {"place": _PLACE * place, "apart": _APART * apart}


def _patch_evidence(heads: Heads, token_map: Tensor, texts: Tensor) -> Tensor:
    """Return the evidence of patches as logits, (view, patch, caption).

    As if each patch were the whole view.
    """
    found = token_map.shape[1] * token_map @ texts.T
    return heads.patch[0].exp() * found + heads.patch[1]
