"""From a name to a model that is proven exact."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_clip_heatmap.clip.devices import choose_device, choose_dtype, unused_card
from napari_clip_heatmap.clip.fingerprint import fingerprint
from napari_clip_heatmap.clip.folder import load_folder
from napari_clip_heatmap.clip.hub import load_hub
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.placing import settle
from napari_clip_heatmap.clip.registry import load_tag
from napari_clip_heatmap.clip.source import Source, normalisation_of
from napari_clip_heatmap.clip.text import TextEncoder, text_tower
from napari_clip_heatmap.clip.tokenizers import plain_tokenizer
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["DEMO", "load_model"]

DEMO = "demo"
"""Name of the bundled model."""


def load_model(
    model: str | nn.Module,
    *,
    tokenizer: Any = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
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
        "auto", "cpu", "cuda", "cuda:1", "mps". "auto" leaves a ready model where it lies. A device
        that gives other answers than the CPU is not used: then the CPU is, and `notices` say so.
    precision : {"auto", "fp32", "fp64", "bf16", "fp16"}
        Of the image tower. "auto" leaves a ready model, and one below `LARGE`, as they are; for
        others it is half precision where the device is fast in it and a probe's maps stay within
        1e-2 of their range. Statistics and sums are never taken in half precision.

    Raises
    ------
    ModelLoadError
        The weights cannot be found or read.
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The parts of the probe's embedding do not sum to it.
    DeviceError
        The device or precision is not there, or the CPU, too, cannot run the model.
    """
    dtype = choose_dtype(precision)
    ready = isinstance(model, nn.Module)
    place = None if ready and device == "auto" else choose_device(device)

    def read() -> Source:
        return _ready(model) if isinstance(model, nn.Module) else _named(model)

    source = read()
    placed = settle(source, place, dtype)
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
        # The same in every precision; what is not a copy is hashed when it is asked for.
        weights_sha256=None if placed.module is source.module else fingerprint(source.module),
        settle_again=lambda device, half: settle(read(), device, dtype, half=half),
    )
    unused = unused_card(place) if place is not None and device == "auto" else None
    if unused is not None:
        loaded.notices.tell("card", unused)
    return loaded


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
