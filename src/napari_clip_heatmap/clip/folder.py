"""A model folder: ``open_clip_config.json`` and its weights side by side.

Read here rather than by open_clip, whose older versions know no ``local-dir:`` and may unpickle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_clip_heatmap.clip.building import build_model, fill_model, refuse_unsupported
from napari_clip_heatmap.clip.checkpoint import find_weights, read_weights
from napari_clip_heatmap.clip.source import Source, normalisation_of
from napari_clip_heatmap.clip.tokenizers import configured_tokenizer
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["CONFIG_NAME", "VOCABULARY_NAME", "load_folder"]

CONFIG_NAME = "open_clip_config.json"
VOCABULARY_NAME = "vocabulary.txt"


def load_folder(folder: Path, name: str) -> Source:
    """Load a model folder.

    Parameters
    ----------
    folder : Path
        Holds ``open_clip_config.json`` (``model_cfg`` and ``preprocess_cfg``), a file of weights,
        the tokenizer's files where it is not CLIP's own, and optionally ``vocabulary.txt``: the
        words of the training captions, one lower-case word a line.
    name : str
        As the user asked for it.

    Raises
    ------
    ModelLoadError
        Something is missing, damaged, or does not fit; nothing in it was executed.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    config = _read_config(folder)
    model_cfg = config["model_cfg"]
    origin = str(folder / CONFIG_NAME)
    refuse_unsupported(model_cfg, origin=origin)
    path = find_weights(folder)
    weights = read_weights(path)
    model = build_model(model_cfg, origin=origin)
    fill_model(model, weights, origin=str(path))
    return Source(
        name=name,
        module=model.eval(),
        tokenizer=lambda: configured_tokenizer(model_cfg.get("text_cfg", {}), folder),
        normalisation=normalisation_of(config.get("preprocess_cfg") or {}),
        vocabulary=_read_vocabulary(folder),
    )


def _read_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ModelLoadError(f"There is no model folder {folder}.")
    path = folder / CONFIG_NAME
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelLoadError(
            f"{folder} is no model folder: it has no {CONFIG_NAME}. A model folder holds that file "
            "and open_clip_model.safetensors, as `open_clip.push_to_hf_hub` writes them."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path} cannot be read: {error}.") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_cfg"), dict):
        raise ModelLoadError(f"{path} has no 'model_cfg'; it is no open_clip configuration.")
    return config


def _read_vocabulary(folder: Path) -> frozenset[str]:
    path = folder / VOCABULARY_NAME
    if not path.is_file():
        return frozenset()
    return frozenset(path.read_text(encoding="utf-8").lower().split())
