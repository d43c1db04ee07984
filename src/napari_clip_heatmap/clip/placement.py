"""A model on a device and in a precision that have been seen to give the CPU's answers."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip.devices import (
    HALVES,
    describe_failure,
    fast_types,
    release_memory,
)
from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.clip.sources.normalization import LoadedModel
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.exactness import decomposition_error, require_exact
from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import ClipHeatmapError, DecompositionError, DeviceError

__all__ = [
    "AGREEMENT",
    "LARGE",
    "ON_DEMAND",
    "Agreement",
    "PlacedModel",
    "Placement",
    "ProbeResult",
    "place_on_device",
    "probe",
    "require_agreement",
]


LARGE = 30_000_000
"""Parameters of an image tower, from which on "auto" tries half precision. A smaller one, such as
the bundled model's with 2.3 million, is quick in any, and gives the same numbers on all machines.
"""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Placement:
    """Where a model may run, and how.

    Parameters
    ----------
    device : torch.device
    dtype : torch.dtype, optional
        Of the image tower; None: as the weights are. The text tower keeps its own: it runs once a
        prompt, and prompts that differ little would lose what they differ in.
    """

    device: torch.device
    dtype: torch.dtype | None = None


@dataclass(frozen=True, eq=False)
class PlacedModel:
    """A model that was proven where it is.

    Parameters
    ----------
    module : nn.Module
        The source's own, or a copy where that had to be moved or cast.
    tower : Tower
        Its image tower, adapted.
    narrowed : bool
        Whether half precision was chosen for it, not asked for.
    notice : str
        Why it is not on the device that was asked for; empty where it is.
    """

    module: Any
    tower: Tower
    narrowed: bool = False
    notice: str = ""


def place_on_device(
    source: LoadedModel,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
    *,
    half: bool = True,
) -> PlacedModel:
    """Put a model on a device if it gives the CPU's answers there, else on the CPU.

    Parameters
    ----------
    source : LoadedModel
        Its module is read, never changed; a copy is moved.
    device : torch.device, optional
        By default where the weights lie.
    dtype : torch.dtype, optional
        By default half precision where the model is large, the device fast in it, and a probe's
        maps stay as they are; else, and always for a model that the user holds, as the weights are.
    half : bool
        Whether half precision may be chosen by default.

    Raises
    ------
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The parts of the probe's embedding do not sum to it.
    DeviceError
        There is no memory for the model, or the CPU cannot compute in that precision.
    """
    module: Any = source.module
    adapt(module.visual)  # refused before anything is moved
    home = next(module.visual.parameters()).device if device is None else device
    *others, last = _places(source, home, dtype, half=half)
    if not others:
        return _tried(source, last)[0]
    plain, expected = _tried(source, Placement(CPU))
    refused: dict[torch.device, str] = {}
    for place in others:
        try:
            return _trusted(source, place, expected, chosen=place.dtype != dtype)
        except (DeviceError, DecompositionError) as error:
            refused[place.device] = str(error)
        release_memory()  # out here, where the error and all that it holds are gone
    placed = plain if last == Placement(CPU) else _tried(source, last)[0]
    if home.type != "cpu":
        return replace(placed, notice=f"{home} is not used, but the CPU: {refused[home]}")
    return placed


def _places(
    source: LoadedModel, home: torch.device, dtype: torch.dtype | None, *, half: bool
) -> list[Placement]:
    """Return where to try, in order; the last one is the model as it is, on the CPU."""
    places = []
    if dtype is None and half and source.owned and _n_weights(source.module) >= LARGE:
        places += [Placement(home, fast) for fast in fast_types(home)]
    places.append(Placement(home, dtype))
    if home.type != "cpu":
        places.append(Placement(CPU, dtype))
    return places


def _trusted(
    source: LoadedModel, place: Placement, expected: ProbeResult, *, chosen: bool
) -> PlacedModel:
    placed, found = _tried(source, place)
    coarse = found.dtype in HALVES and not chosen
    require_agreement(found, expected, ON_DEMAND if coarse else AGREEMENT)
    return replace(placed, narrowed=chosen)


def _tried(source: LoadedModel, place: Placement) -> tuple[PlacedModel, ProbeResult]:
    try:
        module = _placed(source, place)
        tower = adapt(module.visual)
        return PlacedModel(module, tower), probe(module, tower)
    except ClipHeatmapError:
        raise
    except (RuntimeError, TypeError) as error:  # TypeError: no such type on that device
        raise DeviceError(
            f"the model cannot run on {place.device} as {place.dtype or 'it is'}: "
            f"it {describe_failure(error)}"
        ) from error


def _placed(source: LoadedModel, place: Placement) -> Any:
    """Return the module there: itself if it is, else a copy, made without one in between."""
    module: Any = source.module
    weight = next(module.visual.parameters())
    if _same(place.device, weight.device) and place.dtype in (None, weight.dtype):
        return module
    moved: dict[int, torch.Tensor] = {}
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        cast = name.startswith("visual.") and tensor.is_floating_point()
        copied = tensor.detach().to(
            place.device, place.dtype if cast else None, copy=not source.owned
        )
        is_weight = isinstance(tensor, nn.Parameter)
        moved[id(tensor)] = (
            nn.Parameter(copied, requires_grad=tensor.requires_grad) if is_weight else copied
        )
    return copy.deepcopy(module, moved)


def _same(asked: torch.device, there: torch.device) -> bool:
    return asked.type == there.type and (asked.index or 0) == (there.index or 0)


def _n_weights(module: Any) -> int:
    return sum(weight.numel() for weight in module.visual.parameters())


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
class ProbeResult:
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


def probe(module: Any, tower: Tower) -> ProbeResult:
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
        with eval_mode(module.visual):
            own = module.visual(noise)
        embedding: Tensor = own[0] if isinstance(own, tuple) else own  # output_tokens
        answer = token_map(tower, noise, fold(tower))
        found = ProbeResult(
            maps=(answer.tokens.float().cpu() @ directions.mT).permute(3, 0, 1, 2),
            gap=decomposition_error(answer, embedding),
            dtype=weight.dtype,
        )
    require_exact(found.gap, found.dtype)
    return found


def require_agreement(found: ProbeResult, expected: ProbeResult, accepted: Agreement) -> None:
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
