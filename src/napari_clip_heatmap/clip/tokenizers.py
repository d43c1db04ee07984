"""The tokenizer that belongs to a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import nn

from napari_clip_heatmap.clip.text import Tokenizer
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["configured_tokenizer", "plain_tokenizer"]

CLIP_VOCABULARY = 49408
"""Entries of CLIP's own byte-pair vocabulary."""

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json")


def configured_tokenizer(text_cfg: Mapping[str, Any], folder: Path | None = None) -> Tokenizer:
    """Return the tokenizer that an open_clip text configuration names.

    Parameters
    ----------
    text_cfg : mapping
    folder : Path, optional
        Model folder; a Hugging Face tokenizer is read from it if its files are there.

    Raises
    ------
    ModelLoadError
        A Hugging Face tokenizer cannot be read.
    """
    length = text_cfg.get("context_length", 77)
    options = dict(text_cfg.get("tokenizer_kwargs") or {})
    name = text_cfg.get("hf_tokenizer_name")
    if not name:
        plain: Tokenizer = SimpleTokenizer(context_length=length, **options)
        return plain
    local = folder is not None and any((folder / file).is_file() for file in _TOKENIZER_FILES)
    try:
        named: Tokenizer = HFTokenizer(
            str(folder) if local else name,
            context_length=length,
            tokenizer_mode=text_cfg.get("tokenizer_mode"),
            **options,
        )
    except (ImportError, OSError, ValueError) as error:
        raise ModelLoadError(
            f"The model's tokenizer {name!r} cannot be read: {error}. Put its files "
            "(tokenizer.json and the like) into the model folder, and install 'transformers'."
        ) from error
    return named


def plain_tokenizer(model: nn.Module) -> Tokenizer:
    """Return CLIP's own tokenizer for a ready model that has CLIP's own vocabulary.

    Raises
    ------
    ModelLoadError
        The vocabulary is another one.
    """
    tower: Any = getattr(model, "text", model)
    size, length = getattr(tower, "vocab_size", None), getattr(tower, "context_length", None)
    if size != CLIP_VOCABULARY or length is None:
        raise ModelLoadError(
            f"This model's vocabulary has {size} entries, not the {CLIP_VOCABULARY} of CLIP's own. "
            "Pass the tokenizer it was trained with: load_model(model, tokenizer=...)."
        )
    tokenizer: Tokenizer = SimpleTokenizer(context_length=length)
    return tokenizer
