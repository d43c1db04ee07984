"""From a name to a model that is proven exact."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from napari_clip_heatmap.clip.devices import choose_device, choose_dtype, unused_card
from napari_clip_heatmap.clip.families import resized
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.placement import place_on_device
from napari_clip_heatmap.clip.sources.normalization import (
    LoadedModel,
    Normalization,
    Preprocess,
    normalization_of,
    parse_preprocess,
)
from napari_clip_heatmap.clip.sources.resolve import load_named_model
from napari_clip_heatmap.clip.text import TextEncoder, plain_tokenizer, text_tower
from napari_clip_heatmap.clip.weights import hash_weights
from napari_clip_heatmap.core.outliers import require_factor
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["load_model", "load_text"]


def load_model(
    model: str | nn.Module,
    *,
    tokenizer: Any = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    image_size: int | tuple[int, int] | None = None,
    outlier_factor: float | None = None,
    preprocess: Preprocess = None,
) -> ClipModel:
    """Load a CLIP model and prove on a probe image that its decomposition is exact.

    Parameters
    ----------
    model : str or nn.Module
        "demo" (bundled), "ARCH/TAG" of open_clip, "hf-hub:org/name", "local-dir:PATH", the path of
        a file of weights, "ARCH/TAG@PATH" for weights trained like a released model, "ARCH@PATH"
        with `preprocess`, or a ready open_clip model, which is read and never changed: asked for on
        another device or in another precision, it is copied.
    tokenizer : callable, optional
        Texts to token numbers; by default the model's own.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps". "auto" leaves a ready model where it lies. A device
        that gives other answers than the CPU is not used: then the CPU is, and `notices` say so.
    precision : {"auto", "fp32", "fp64", "bf16", "fp16"}
        Of the image tower. "auto" leaves a ready model, and one below `LARGE`, as they are; for
        others it is half precision where the device is fast in it and a probe's maps stay within
        1e-2 of their range. Statistics and sums are never taken in half precision.
    image_size : int or (int, int), optional
        Height and width of what the model looks at in one pass, in whole patches; by default as it
        was trained. Position embeddings are interpolated: a larger size gives more patches of
        context, a finer lattice for the same view.
    outlier_factor : float, optional
        Leave tokens out of the maps whose norm before the last layer is over so many times the
        median of their image: large transformers keep something about the whole image there. Their
        neighbours' mean takes the place. `decompose` still has them.
    preprocess : str or (mean, std), optional
        What pixels are brought to, instead of what the model's own files say: "openai",
        "imagenet", "half", "none", "r,g,b/r,g,b", or mean and deviation of the three colours.

    Raises
    ------
    ModelLoadError
        The weights cannot be found or read, or it is not said what belongs to them.
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The parts of the probe's embedding do not sum to it.
    SettingsError
        The image size is no number of whole patches, or the preprocessing is none that is known.
    DeviceError
        The device or precision is not there, or the CPU, too, cannot run the model.
    """
    require_factor(outlier_factor)
    dtype = choose_dtype(precision)
    ready = isinstance(model, nn.Module)
    place = None if ready and device == "auto" else choose_device(device)
    normalisation = parse_preprocess(preprocess)

    def read() -> LoadedModel:
        found = (
            _ready(model, normalisation) if ready else load_named_model(str(model), normalisation)
        )
        return found if image_size is None else _for_size(found, image_size)

    source = read()
    placed = place_on_device(source, place, dtype)
    make_tokenizer = source.tokenizer if tokenizer is None else lambda: tokenizer
    text = TextEncoder(
        text_tower(placed.module),
        make_tokenizer,
        d_embed=placed.tower.d_embed,
        vocabulary=source.vocabulary,
    )
    loaded = ClipModel(
        placed,
        text,
        name=source.name,
        normalisation=source.normalisation,
        outlier_factor=outlier_factor,
        # The same in every precision; what is not a copy is hashed when it is asked for.
        weights_sha256=None if placed.module is source.module else hash_weights(source.module),
        settle_again=lambda device, half: place_on_device(read(), device, dtype, half=half),
    )
    for notice in source.notices:
        loaded.notices.tell("files", notice)
    unused = unused_card(place) if place is not None and device == "auto" else None
    if unused is not None:
        loaded.notices.tell("card", unused)
    return loaded


def load_text(
    name: str, *, image_size: tuple[int, int], normalisation: Normalization, d_embed: int
) -> tuple[TextEncoder, str]:
    """Load a model's text tower alone, on the CPU; the image tower is read past and let go.

    Parameters
    ----------
    name : str
        As `load_model` takes it.
    image_size : (int, int)
        For which the weights are hashed.
    normalisation : Normalization
        As known: files that do not say it are no obstacle.
    d_embed : int
        Size of the joint space.

    Returns
    -------
    text : TextEncoder
    weights_sha256 : str
        Of all weights, as `ClipModel.weights_sha256` gives it.

    Raises
    ------
    ModelLoadError
        The weights cannot be found or read.
    UnsupportedModelError
        This is a model that cannot have been used.
    """
    source = _for_size(load_named_model(name, normalisation), image_size)
    text = TextEncoder(
        text_tower(source.module), source.tokenizer, d_embed=d_embed, vocabulary=source.vocabulary
    )
    return text, hash_weights(source.module)


def _ready(model: Any, normalisation: Normalization | None) -> LoadedModel:
    if not isinstance(getattr(model, "visual", None), nn.Module):
        raise UnsupportedModelError(
            f"A ready model is an open_clip model with an image tower `visual`; got a "
            f"{type(model).__name__}."
        )
    own = getattr(model.visual, "preprocess_cfg", None) or {}
    return LoadedModel(
        name="custom",
        module=model,
        tokenizer=lambda: plain_tokenizer(model),
        normalisation=normalisation or normalization_of(own),
        owned=False,
    )


def _for_size(source: LoadedModel, image_size: int | tuple[int, int]) -> LoadedModel:
    """Return a source whose image tower, in modules of its own, looks at that size."""
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    model: Any = source.module
    twin: Any = copy.copy(model)
    twin.__dict__["_modules"] = dict(model._modules)  # the weights stay shared
    twin.visual = resized(model.visual, size)
    return replace(source, module=twin)
