"""Load a model by name, or take a ready one, and check that its decomposition is exact."""

from __future__ import annotations

import copy
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_clip_heatmap.clip.catalog import configuration_of
from napari_clip_heatmap.clip.devices import choose_device, choose_dtype, unused_gpu_notice
from napari_clip_heatmap.clip.families import resized
from napari_clip_heatmap.clip.model import ClipModel, Reload
from napari_clip_heatmap.clip.placement import PlacedModel, place_on_device
from napari_clip_heatmap.clip.sources.limits import require_image_size
from napari_clip_heatmap.clip.sources.normalization import (
    LoadedModel,
    Normalization,
    Preprocess,
    normalization_of,
    parse_preprocess,
)
from napari_clip_heatmap.clip.sources.resolve import load_named_model
from napari_clip_heatmap.clip.sources.untrained import untrained
from napari_clip_heatmap.clip.text import TextEncoder, plain_tokenizer, text_tower
from napari_clip_heatmap.clip.weights import hash_weights, require_finite
from napari_clip_heatmap.core.exactness import decomposition_error, require_exact
from napari_clip_heatmap.core.token_map import require_factor
from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError, shorten

__all__ = ["load_model", "load_text", "load_untrained"]


def load_model(
    model: str | nn.Module,
    *,
    tokenizer: Any = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    image_size: int | tuple[int, int] | None = None,
    outlier_factor: float | None = None,
    mlp_by_token: bool = False,
    preprocess: Preprocess = None,
) -> ClipModel:
    """Do what `napari_clip_heatmap.load_model` says, with torch and open_clip imported."""
    require_factor(outlier_factor)
    dtype = choose_dtype(precision)
    is_ready = isinstance(model, nn.Module)
    chosen = None if is_ready and device == "auto" else choose_device(device)
    normalization = parse_preprocess(preprocess)
    size = None if image_size is None else require_image_size(image_size)

    def load() -> LoadedModel:
        loaded = (
            _wrap_ready(model, normalization)
            if is_ready
            else load_named_model(_require_name(model), normalization)
        )
        return loaded if size is None else _resize(loaded, size)

    loaded = load()
    clip = _assemble(
        loaded,
        place_on_device(loaded, chosen, dtype),
        tokenizer=tokenizer,
        outlier_factor=outlier_factor,
        mlp_by_token=mlp_by_token,
        reload=lambda device, half: place_on_device(load(), device, dtype, allow_half=half),
    )
    if mlp_by_token:
        _require_exact_by_token(clip)
    gpu_notice = unused_gpu_notice(chosen) if chosen is not None and device == "auto" else None
    if gpu_notice is not None:
        clip.notices.add("gpu", gpu_notice)
    return clip


def load_untrained(
    architecture: str, *, device: str | torch.device = "auto", precision: str = "auto"
) -> ClipModel:
    """Return a model of an architecture with random weights, where a trained one would run.

    Parameters
    ----------
    architecture : str
        Of the catalog: `CatalogEntry.architecture`.
    device, precision : str
        As `load_model` takes them.

    Raises
    ------
    ModelLoadError
        There is no such architecture.
    UnsupportedModelError
        It cannot be decomposed.
    DeviceError
        Memory does not hold it, the device is not available, or there is no such precision.

    Examples
    --------
    >>> load_untrained("ViT-B-32", device="cpu").grid
    (7, 7)
    """
    dtype, chosen = choose_dtype(precision), choose_device(device)
    config = configuration_of(architecture)
    if config is None:
        raise ModelLoadError(
            f"There is no architecture {shorten(repr(architecture))}; `clip-heatmap models` lists "
            "what can be decomposed."
        )
    loaded = untrained(config, origin=architecture)
    return _assemble(
        loaded,
        place_on_device(loaded, chosen, dtype),
        tokenizer=None,
        outlier_factor=None,
        mlp_by_token=False,
        reload=lambda device, half: place_on_device(loaded, device, dtype, allow_half=half),
    )


def _require_exact_by_token(model: ClipModel) -> None:
    """Raise unless MLPs resolved by token add up to the embedding of a probe, too."""
    height, width = model.image_size
    probe = np.random.default_rng(0).random((1, height, width, 3), np.float32)
    found = model.token_map(model.preprocess(probe))
    require_exact(decomposition_error(found, found.representation), model.dtype)


def _assemble(
    loaded: LoadedModel,
    placed: PlacedModel,
    *,
    tokenizer: Any,
    outlier_factor: float | None,
    mlp_by_token: bool,
    reload: Reload,
) -> ClipModel:
    text = TextEncoder(
        text_tower(placed.module),
        loaded.tokenizer if tokenizer is None else lambda: tokenizer,
        d_embed=placed.tower.d_embed,
        vocabulary=loaded.vocabulary,
    )
    # The hash is that of the loaded weights in every precision. A module that was not copied can
    # be hashed later, when the hash is needed.
    was_copied = placed.module is not loaded.module
    clip = ClipModel(
        placed,
        text,
        name=loaded.name,
        normalization=loaded.normalization,
        outlier_factor=outlier_factor,
        mlp_by_token=mlp_by_token,
        weights_sha256=hash_weights(loaded.module) if was_copied else None,
        reload=reload,
    )
    for notice in loaded.notices:
        clip.notices.add("files", notice)
    return clip


def load_text(
    name: str, *, image_size: tuple[int, int], normalization: Normalization, d_embed: int
) -> tuple[TextEncoder, str]:
    """Load the text tower of a model, on the CPU, without keeping its image tower.

    Parameters
    ----------
    name : str
        As `load_model` takes it.
    image_size : (int, int)
        Image size at which the weights are hashed.
    normalization : Normalization
        Already known, so the model's files need not contain it.
    d_embed : int
        Dimension of the joint space.

    Returns
    -------
    text : TextEncoder
    weights_sha256 : str
        Hash of all weights, equal to `ClipModel.weights_sha256`.

    Raises
    ------
    ModelLoadError
        The weights cannot be found or read.
    UnsupportedModelError
        No image can have been encoded with this model.
    """
    loaded = _resize(load_named_model(name, normalization), image_size)
    text = TextEncoder(
        text_tower(loaded.module), loaded.tokenizer, d_embed=d_embed, vocabulary=loaded.vocabulary
    )
    return text, hash_weights(loaded.module)


def _require_name(model: object) -> str:
    if not isinstance(model, (str, PathLike)):
        raise ModelLoadError(
            f"A model is a name such as 'demo', or a ready open_clip model; got "
            f"{shorten(repr(model))}."
        )
    return str(model)


def _wrap_ready(model: Any, normalization: Normalization | None) -> LoadedModel:
    if not isinstance(getattr(model, "visual", None), nn.Module):
        raise UnsupportedModelError(
            f"A ready model is an open_clip model with an image tower `visual`; got a "
            f"{type(model).__name__}."
        )
    require_finite(model.named_parameters(), origin="the given model")
    config = getattr(model.visual, "preprocess_cfg", None) or {}
    text = text_tower(model)  # the tokenizer must not keep the image tower
    return LoadedModel(
        name="custom",
        module=model,
        tokenizer=lambda: plain_tokenizer(text),
        normalization=normalization or normalization_of(config),
        owned=False,
    )


def _resize(loaded: LoadedModel, image_size: tuple[int, int]) -> LoadedModel:
    """Return the model with an image tower for that size; all other modules are the same."""
    model: Any = loaded.module
    twin: Any = copy.copy(model)
    twin.__dict__["_modules"] = dict(model._modules)
    twin.visual = resized(model.visual, image_size)
    return replace(loaded, module=twin)
