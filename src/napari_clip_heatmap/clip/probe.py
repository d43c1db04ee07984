"""Noise through a model, to see that its decomposition is exact and its device to be trusted.

Maps are compared as a user compares them: along a text direction, by their own range. The
directions are drawn at random, and the image is noise, so no words and no tokenizer are needed.
That is harder than the real thing: where bf16 moved the maps of the bundled model's own prompts on
its own sample by 0.003 to 0.007 of their range, it moved those of the probe by 0.007 (median) and
0.014 (worst).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_clip_heatmap.clip.evaluating import evaluating
from napari_clip_heatmap.core.exactness import gap_of, require_exact
from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import DeviceError

__all__ = ["AGREEMENT", "ON_DEMAND", "Agreement", "Probed", "probe", "require_agreement"]

SEED = 20231009
N_IMAGES, N_DIRECTIONS = 2, 16


@dataclass(frozen=True)
class Agreement:
    """How far maps may be moved, as a share of their range: at one cell of a map, the farthest.

    Parameters
    ----------
    typical, worst : float
        Of the median map, and of any.
    """

    typical: float
    worst: float


AGREEMENT = Agreement(typical=1e-2, worst=5e-2)
"""What is not seen in a picture of the map."""

ON_DEMAND = Agreement(typical=1e-1, worst=5e-1)
"""For half precision that was asked for: enough to tell a coarse device from a broken one."""


@dataclass(frozen=True, eq=False)
class Probed:
    """What a model says of the probe.

    Parameters
    ----------
    maps : Tensor [direction, image, y, x], on the CPU
        Shares of the cosine with random unit directions.
    gap : float
        From the sum of all parts to the model's own embedding, relative.
    dtype : torch.dtype
        Of the weights.
    """

    maps: Tensor
    gap: float
    dtype: torch.dtype


def probe(module: Any, tower: Tower) -> Probed:
    """Show the probe to a model, and to its adapted tower; always the same one.

    Raises
    ------
    DecompositionError
        The parts of the probe's embedding do not sum to it.
    """
    weight = next(module.visual.parameters())
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(N_IMAGES, 3, *tower.image_size, generator=generator).to(weight)
    directions = torch.randn(N_DIRECTIONS, tower.d_embed, generator=generator)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    with torch.no_grad():
        with evaluating(module.visual):
            own = module.visual(noise)
        embedding: Tensor = own[0] if isinstance(own, tuple) else own  # output_tokens
        answer = token_map(tower, noise, fold(tower))
        found = Probed(
            maps=(answer.tokens.float().cpu() @ directions.mT).permute(3, 0, 1, 2),
            gap=gap_of(answer, embedding),
            dtype=weight.dtype,
        )
    require_exact(found.gap, found.dtype)
    return found


def require_agreement(found: Probed, expected: Probed, accepted: Agreement) -> None:
    """Raise if maps are not those that the CPU made in the weights' own precision.

    Raises
    ------
    DeviceError
        With how far they are moved.
    """
    extent = expected.maps.amax(dim=(2, 3)) - expected.maps.amin(dim=(2, 3))
    moved = (found.maps - expected.maps).abs().amax(dim=(2, 3)) / extent  # [direction, image]
    typical, worst = moved.median().item(), moved.max().item()
    if not (typical <= accepted.typical and worst <= accepted.worst):
        raise DeviceError(
            f"its maps of a probe image are not those of the CPU: they are moved by {typical:.2g} "
            f"of their range, and by {worst:.2g} at the worst, where {accepted.typical} and "
            f"{accepted.worst} are accepted"
        )
