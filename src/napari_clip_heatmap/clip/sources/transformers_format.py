"""A model folder in the format of the transformers library (PLIP, SigLIP ...): its JSON files.

Architecture, activation, preprocessing and vocabulary are those that the files name. How each type
of model is converted to open_clip is in `layouts`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from open_clip.tokenizer import SimpleTokenizer

from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError, shorten

__all__ = [
    "HF_CONFIG_NAME",
    "HF_PREPROCESSING_NAME",
    "has_own_vocabulary",
    "is_transformers_folder",
    "preprocess_config",
    "read_json",
]


HF_CONFIG_NAME = "config.json"

HF_PREPROCESSING_NAME = "preprocessor_config.json"


def is_transformers_folder(folder: Path) -> bool:
    """Return whether a folder has a configuration of the transformers library."""
    return (folder / HF_CONFIG_NAME).is_file()


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises
    ------
    ModelLoadError
        The file cannot be read, is not UTF-8, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelLoadError(
            f"{shorten(path, 200)} cannot be read: {shorten(error, 200)}."
        ) from error
    if not isinstance(content, dict):
        raise ModelLoadError(
            f"{shorten(path, 200)} holds no JSON object; it is not the configuration of a model."
        )
    return content


def preprocess_config(folder: Path) -> dict[str, Any]:
    """Return mean and std from ``preprocessor_config.json``; empty if there is no such file.

    Raises
    ------
    UnsupportedModelError
        Pixels are first scaled to another range than 0..1.
    """
    path = folder / HF_PREPROCESSING_NAME
    if not path.is_file():
        return {}
    config = read_json(path)
    factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1
    if not isinstance(factor, (int, float)) or not abs(factor * 255 - 1) <= 1e-3:
        raise UnsupportedModelError(
            f"{shorten(path, 200)} scales pixels by {shorten(repr(factor))} rather than by 1/255 "
            "to 0..1, which is not supported."
        )
    if not config.get("do_normalize", True):
        return {"mean": [0.0] * 3, "std": [1.0] * 3}
    return {"mean": config.get("image_mean"), "std": config.get("image_std")}


def has_own_vocabulary(folder: Path) -> bool:
    """Return whether a folder's tokenizer has another vocabulary than CLIP's own."""
    vocabulary = _vocabulary(folder)
    words = list(SimpleTokenizer().encoder)[:-2]  # without start and end, whose spelling varies
    return bool(vocabulary) and any(
        vocabulary.get(word) != number for number, word in enumerate(words)
    )


def _vocabulary(folder: Path) -> Mapping[str, int]:
    if (folder / "vocab.json").is_file():
        return read_json(folder / "vocab.json")
    if (folder / "tokenizer.json").is_file():
        model = read_json(folder / "tokenizer.json").get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        return vocabulary if isinstance(vocabulary, dict) else {"": 0}
    return {}
