"""From a name to a model that is proven exact."""

from __future__ import annotations

import copy
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip.devices import choose_device, choose_dtype
from napari_clip_heatmap.clip.evaluating import evaluating
from napari_clip_heatmap.clip.families import adapt, resized
from napari_clip_heatmap.clip.folder import load_folder
from napari_clip_heatmap.clip.hub import load_hub
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.registry import load_tag
from napari_clip_heatmap.clip.source import Source, normalisation_of
from napari_clip_heatmap.clip.text import TextEncoder, text_tower
from napari_clip_heatmap.clip.tokenizers import plain_tokenizer
from napari_clip_heatmap.core.exactness import TOLERANCE, gap, require_exact
from napari_clip_heatmap.core.token_map import fold
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import DeviceError, UnsupportedModelError

__all__ = ["DEMO", "load_model"]

DEMO = "demo"
"""Name of the bundled model."""

PROBE_SEED = 20231009
DEVICE_TOLERANCE = 2e-3
"""Largest relative difference of a probe's embedding between a device and the CPU."""


def load_model(
    model: str | nn.Module,
    *,
    tokenizer: Any = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    image_size: int | tuple[int, int] | None = None,
    outlier_factor: float | None = None,
) -> ClipModel:
    """Load a CLIP model and prove on a probe image that its decomposition is exact.

    Parameters
    ----------
    model : str or nn.Module
        "demo" (bundled), "ARCH/TAG" of open_clip, "hf-hub:org/name", "local-dir:PATH", or a ready
        open_clip model, which is read and never changed: asked for on another device or in another
        precision, it is copied.
    tokenizer : callable, optional
        Texts to token numbers; by default the model's own.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps". "auto" leaves a ready model where it lies.
    precision : {"auto", "fp32", "fp64", "bf16", "fp16"}
        Of the weights; "auto" leaves them as they are. Statistics and sums are never taken in half
        precision.
    image_size : int or (int, int), optional
        Height and width of what the model looks at in one pass, in whole patches; by default as it
        was trained. Position embeddings are interpolated: a larger size gives more patches of
        context, a finer lattice for the same view.
    outlier_factor : float, optional
        Leave tokens out of the maps whose norm before the last layer is over so many times the
        median of their image: large transformers keep something about the whole image there. Their
        neighbours' mean takes the place. `decompose` still has them.

    Raises
    ------
    ModelLoadError
        The weights cannot be found or read.
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The parts of the probe's embedding do not sum to it.
    SettingsError
        The image size is no number of whole patches.
    DeviceError
        The device or precision is not there, or the device computes something else than the CPU.
    """
    dtype = choose_dtype(precision)
    ready = isinstance(model, nn.Module)
    place = None if ready and device == "auto" else choose_device(device)
    source = _ready(model) if isinstance(model, nn.Module) else _named(model)
    if image_size is not None:
        source = replace(source, module=_resized(source.module, image_size))
    given: Any = source.module
    adapt(given.visual)  # refused before anything is moved
    reference = _probe_embedding(given) if place and place.type != "cpu" else None
    module = _placed(source, place, dtype)
    tower = adapt(module.visual)
    _prove(module, tower, reference)
    make_tokenizer = source.tokenizer if tokenizer is None else lambda: tokenizer
    text = TextEncoder(
        text_tower(module), make_tokenizer, d_embed=tower.d_embed, vocabulary=source.vocabulary
    )
    return ClipModel(
        module,
        tower,
        text,
        name=source.name,
        normalisation=source.normalisation,
        outlier_factor=outlier_factor,
    )


def _named(name: str) -> Source:
    if name == DEMO:
        return load_folder(Path(str(files("napari_clip_heatmap") / DEMO)), DEMO)
    if name.startswith("local-dir:"):
        return load_folder(Path(name.removeprefix("local-dir:")).expanduser(), name)
    if name.startswith("hf-hub:"):
        return load_hub(name)
    return load_tag(name)


def _ready(model: Any) -> Source:
    if not isinstance(getattr(model, "visual", None), nn.Module):
        raise UnsupportedModelError(
            f"A ready model is an open_clip model with an image tower `visual`; got a "
            f"{type(model).__name__}."
        )
    return Source(
        name="custom",
        module=model,
        tokenizer=lambda: plain_tokenizer(model),
        normalisation=normalisation_of(getattr(model.visual, "preprocess_cfg", None) or {}),
        owned=False,
    )


def _resized(model: Any, image_size: int | tuple[int, int]) -> nn.Module:
    """Return the model with an image tower for that size, in modules of its own; weights shared."""
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    twin: nn.Module = copy.copy(model)
    twin.__dict__["_modules"] = dict(model._modules)
    twin.visual = resized(model.visual, size)
    return twin


def _placed(source: Source, place: torch.device | None, dtype: torch.dtype | None) -> Any:
    """Return the module on that device and in that type; a copy of one that is the user's."""
    module: Any = source.module
    weight = next(module.visual.parameters())
    moved = place is not None and place != weight.device
    if not moved and dtype in (None, weight.dtype):
        return module
    module = module if source.owned else copy.deepcopy(module)
    try:
        return module.to(device=place, dtype=dtype)
    except (RuntimeError, TypeError) as error:  # out of memory, or no such type on that device
        raise DeviceError(
            f"The model cannot be put on {place} as {dtype or weight.dtype}: {error}"
        ) from error


def _probe(module: Any) -> Tensor:
    """Return two noise images, the same ones always, as the image tower takes them."""
    weight = next(module.visual.parameters())
    size = adapt(module.visual).image_size
    noise = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(PROBE_SEED))
    return noise.to(weight)


def _probe_embedding(module: Any) -> Tensor:
    """Return what the image tower itself makes of the probe, [batch, d_embed]."""
    with torch.no_grad(), evaluating(module.visual):
        answer = module.visual(_probe(module))
    embedding: Tensor = answer[0] if isinstance(answer, tuple) else answer  # output_tokens
    return embedding


def _prove(module: Any, tower: Tower, reference: Tensor | None) -> None:
    """Raise unless the parts of the probe sum to its embedding, and the device can be trusted."""
    embedding = _probe_embedding(module)
    if reference is not None:
        expected = reference.to(embedding)
        difference = ((embedding - expected).norm() / expected.norm()).item()
        tolerance = max(DEVICE_TOLERANCE, TOLERANCE[embedding.dtype])
        if not difference <= tolerance:
            raise DeviceError(
                f"{embedding.device} computes another embedding than the CPU for the same probe "
                f"image: the relative difference is {difference:.2g}, over {tolerance:.0e}. Its "
                "answers cannot be trusted; load the model with device='cpu'."
            )
    with torch.no_grad():
        require_exact(gap(tower, _probe(module), fold(tower), embedding), embedding.dtype)
