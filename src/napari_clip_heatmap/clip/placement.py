"""Put a model on a device, in a precision, where it was checked to give the CPU's results."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import reduce
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
from napari_clip_heatmap.errors import ClipHeatmapError, DecompositionError, DeviceError, shorten

__all__ = [
    "AGREEMENT",
    "LARGE",
    "REQUESTED_HALF",
    "Agreement",
    "PlacedModel",
    "Placement",
    "ProbeResult",
    "move_module",
    "place_on_device",
    "probe",
    "require_agreement",
]


LARGE = 30_000_000
"""Parameters of an image tower from which precision "auto" tries half precision. Smaller towers,
such as the bundled model's with 2.3 million, are fast in single precision, and then give the same
numbers on all machines.
"""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Placement:
    """Where, and in which precision, a model runs.

    Parameters
    ----------
    device : torch.device
    dtype : torch.dtype, optional
        Of the image tower; None: as the weights are. The text tower always keeps its own dtype: it
        runs once per prompt, and in half precision similar prompts could become equal.
    """

    device: torch.device
    dtype: torch.dtype | None = None


@dataclass(frozen=True, eq=False)
class PlacedModel:
    """A model whose decomposition was checked on its device.

    Parameters
    ----------
    module : nn.Module
        The loaded module itself, or a copy if it had to be moved or cast.
    tower : Tower
        Its image tower, adapted.
    chose_half : bool
        Whether half precision was chosen by default, rather than requested.
    notice : str
        Why the requested device is not used; empty if it is.
    """

    module: Any
    tower: Tower
    chose_half: bool = False
    notice: str = ""


def place_on_device(
    loaded: LoadedModel,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
    *,
    allow_half: bool = True,
) -> PlacedModel:
    """Put a model on a device if it gives the CPU's results there, else on the CPU.

    Parameters
    ----------
    loaded : LoadedModel
        Its module is never changed; a copy is moved.
    device : torch.device, optional
        By default the device of the weights.
    dtype : torch.dtype, optional
        By default half precision if the model is large, the device is fast in it, and the maps of
        a probe image stay the same. Otherwise, and always for a model that the caller built, the
        dtype of the weights (the widest one, if they have several).
    allow_half : bool
        Whether half precision may be chosen by default.

    Raises
    ------
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The contributions to the probe's embedding do not sum to it, or it is not finite.
    DeviceError
        There is not enough memory, or the CPU cannot compute in that precision.
    """
    module: Any = loaded.module
    adapt(module.visual)  # an unsupported tower is refused before anything is moved
    home = next(module.visual.parameters()).device if device is None else device
    dtype = _widest_of_several(module.visual) if dtype is None else dtype
    *preferred, fallback = _candidates(loaded, home, dtype, allow_half=allow_half)
    if not preferred:
        return _place_and_probe(loaded, fallback)[0]
    reference, expected = _place_and_probe(loaded, Placement(CPU))
    refused: dict[torch.device, str] = {}
    for placement in preferred:
        try:
            return _place_and_compare(
                loaded, placement, expected, chose_half=placement.dtype != dtype
            )
        except (DeviceError, DecompositionError) as error:
            refused[placement.device] = str(error)
        release_memory()  # after the except block, where the error no longer holds the tensors
    is_reference = fallback == Placement(CPU)
    placed = reference if is_reference else _place_and_probe(loaded, fallback)[0]
    if home.type != "cpu":
        return replace(placed, notice=f"The CPU is used instead of {home}: {refused[home]}")
    return placed


def _widest_of_several(visual: nn.Module) -> torch.dtype | None:
    """Return the dtype to cast to if weights have several, as open_clip's "fp16" models do."""
    dtypes = _float_dtypes(visual)
    return reduce(torch.promote_types, dtypes) if len(dtypes) > 1 else None


def _float_dtypes(visual: nn.Module) -> set[torch.dtype]:
    return {weight.dtype for weight in visual.parameters() if weight.is_floating_point()}


def _candidates(
    loaded: LoadedModel, home: torch.device, dtype: torch.dtype | None, *, allow_half: bool
) -> list[Placement]:
    """Return the placements to try, in order; the last one is on the CPU, in the plain dtype."""
    placements = []
    if dtype is None and allow_half and loaded.owned and _count_weights(loaded.module) >= LARGE:
        placements += [Placement(home, half) for half in fast_types(home)]
    placements.append(Placement(home, dtype))
    if home.type != "cpu":
        placements.append(Placement(CPU, dtype))
    return placements


def _place_and_compare(
    loaded: LoadedModel, placement: Placement, expected: ProbeResult, *, chose_half: bool
) -> PlacedModel:
    placed, found = _place_and_probe(loaded, placement)
    requested_half = found.dtype in HALVES and not chose_half
    require_agreement(found, expected, REQUESTED_HALF if requested_half else AGREEMENT)
    return replace(placed, chose_half=chose_half)


def _place_and_probe(loaded: LoadedModel, placement: Placement) -> tuple[PlacedModel, ProbeResult]:
    try:
        module = move_module(loaded, placement)
        tower = adapt(module.visual)
        return PlacedModel(module, tower), probe(module, tower)
    except ClipHeatmapError:
        raise
    except (RuntimeError, TypeError) as error:  # TypeError: the device lacks that dtype
        precision = f" in {placement.dtype}" if placement.dtype else ""
        raise DeviceError(
            f"the model cannot run on {placement.device}{precision}: it {describe_failure(error)}"
        ) from error


def move_module(loaded: LoadedModel, placement: Placement) -> Any:
    """Return the module in its new place: itself if it is there, else a copy of each tensor."""
    module: Any = loaded.module
    here = next(module.visual.parameters()).device
    if _same(placement.device, here) and _has_dtype(module.visual, placement.dtype):
        return module
    moved: dict[int, torch.Tensor] = {}
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        cast = name.startswith("visual.") and tensor.is_floating_point()
        copied = tensor.detach().to(
            placement.device, placement.dtype if cast else None, copy=not loaded.owned
        )
        is_weight = isinstance(tensor, nn.Parameter)
        moved[id(tensor)] = (
            nn.Parameter(copied, requires_grad=tensor.requires_grad) if is_weight else copied
        )
    return copy.deepcopy(module, moved)


def _same(requested: torch.device, actual: torch.device) -> bool:
    return requested.type == actual.type and (requested.index or 0) == (actual.index or 0)


def _has_dtype(visual: nn.Module, dtype: torch.dtype | None) -> bool:
    return dtype is None or _float_dtypes(visual) == {dtype}


def _count_weights(module: Any) -> int:
    return sum(weight.numel() for weight in module.visual.parameters())


SEED = 20231009

N_IMAGES, N_DIRECTIONS = 2, 16


@dataclass(frozen=True)
class Agreement:
    """Largest accepted difference of maps, relative to their range, at their worst patch.

    Parameters
    ----------
    typical, worst : float
        Of the median map, and of any map.
    """

    typical: float
    worst: float


AGREEMENT = Agreement(typical=1e-2, worst=5e-2)
"""A difference that cannot be seen in a heatmap."""

REQUESTED_HALF = Agreement(typical=1e-1, worst=5e-1)
"""For half precision on request: it only has to tell an imprecise device from a broken one."""


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """A model's results for the probe images.

    Parameters
    ----------
    maps : Tensor [direction, image, y, x], on the CPU
        Contributions to the cosine with random unit directions.
    relative_error : float
        Of the sum of all contributions, compared with the model's own embedding.
    dtype : torch.dtype
        Of the weights.
    """

    maps: Tensor
    relative_error: float
    dtype: torch.dtype


def probe(module: Any, tower: Tower) -> ProbeResult:
    """Run the probe images, which are always the same, through a model and its adapted tower.

    Raises
    ------
    DecompositionError
        The contributions to the probe's embedding do not sum to it, or it is not finite.
    """
    weight = next(module.visual.parameters())
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(N_IMAGES, 3, *tower.image_size, generator=generator).to(weight)
    directions = torch.randn(N_DIRECTIONS, tower.d_embed, generator=generator)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    with torch.no_grad():
        with eval_mode(module.visual):
            output = module.visual(noise)
        embedding: Tensor = output[0] if isinstance(output, tuple) else output  # output_tokens
        _require_finite_embedding(embedding, module.visual)
        mapped = token_map(tower, noise, fold(tower))
        result = ProbeResult(
            maps=(mapped.tokens.float().cpu() @ directions.mT).permute(3, 0, 1, 2),
            relative_error=decomposition_error(mapped, embedding),
            dtype=weight.dtype,
        )
    require_exact(result.relative_error, result.dtype)
    return result


def _require_finite_embedding(embedding: Tensor, visual: nn.Module) -> None:
    length = torch.linalg.vector_norm(embedding.float(), dim=-1)
    if (length.isfinite() & (length > 0)).all():
        return
    largest, name = max(
        (float(weight.detach().float().abs().max()), name)
        for name, weight in visual.named_parameters()
        if weight.numel()
    )
    raise DecompositionError(
        f"The image tower's embedding of a probe image is {'zero' if not length.any() else 'NaN'} "
        f"or overflows, so its heatmaps would be NaN. Its weights are finite; the largest is "
        f"{largest:.3g}, in tensor 'visual.{shorten(name)}'. Use another checkpoint or precision."
    )


def require_agreement(found: ProbeResult, expected: ProbeResult, accepted: Agreement) -> None:
    """Raise if maps differ from those of the CPU in the weights' own precision.

    Raises
    ------
    DeviceError
        With the size of the difference.
    """
    extent = expected.maps.amax(dim=(2, 3)) - expected.maps.amin(dim=(2, 3))
    difference = (found.maps - expected.maps).abs().amax(dim=(2, 3)) / extent  # [direction, image]
    typical, worst = difference.median().item(), difference.max().item()
    if not (typical <= accepted.typical and worst <= accepted.worst):
        raise DeviceError(
            f"its maps of a probe image differ from the CPU's: typically by {typical:.2g} of their "
            f"range and at worst by {worst:.2g}, where {accepted.typical} and {accepted.worst} are "
            "accepted"
        )
