"""A model of an architecture with random weights: how fast it is does not depend on what they are.

So a model can be timed before gigabytes of it are downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psutil

from napari_clip_heatmap.clip.sources.build import (
    SMALLEST_TOWER,
    build_image_tower,
    build_model,
    without_memory,
)
from napari_clip_heatmap.clip.sources.normalization import OPENAI, LoadedModel
from napari_clip_heatmap.clip.text import plain_tokenizer, text_tower
from napari_clip_heatmap.errors import DeviceError

__all__ = ["untrained"]

_BYTES = 4
"""Of a weight."""

_ROOM = 1.5
"""Memory for the weights and a copy in half precision, over that for the weights."""

_LEFT = 10**9
"""Bytes that a pass, and the rest of the machine, still need."""

_SMALL_TEXT = {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1}


def untrained(model_cfg: Mapping[str, Any], *, origin: str) -> LoadedModel:
    """Return a model with the image tower of a configuration, a small text tower, random weights.

    Parameters
    ----------
    model_cfg : mapping
        As open_clip writes it.
    origin : str
        What it is a configuration of, for messages.

    Raises
    ------
    DeviceError
        Memory does not hold it; the operating system might end this program.
    ModelLoadError
        The configuration has impossible values, or this open_clip cannot build it.

    Examples
    --------
    >>> untrained(configuration_of("ViT-B-32"), origin="ViT-B-32").name
    'ViT-B-32'
    """
    _require_memory(model_cfg, origin)
    around = {"embed_dim": model_cfg["embed_dim"], "vision_cfg": SMALLEST_TOWER}
    module: Any = build_model({**around, "text_cfg": _SMALL_TEXT}, origin=origin)
    module.visual = build_image_tower(model_cfg, origin=origin)
    text = text_tower(module)  # the tokenizer must not keep the image tower
    return LoadedModel(
        name=origin,
        module=module.eval().requires_grad_(False),
        tokenizer=lambda: plain_tokenizer(text),
        normalization=OPENAI,
    )


def _require_memory(model_cfg: Mapping[str, Any], origin: str) -> None:
    with without_memory():
        visual = build_image_tower(model_cfg, origin=origin)
    needed = _ROOM * _BYTES * sum(weight.numel() for weight in visual.parameters()) + _LEFT
    free = psutil.virtual_memory().available
    if needed > free:
        raise DeviceError(
            f"The image tower of {origin} needs about {needed / 1e9:.1f} GB of memory and "
            f"{free / 1e9:.1f} GB are free. Close other programs, or take a smaller model."
        )
