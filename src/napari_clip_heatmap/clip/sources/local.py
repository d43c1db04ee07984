"""Models in local files: a folder with its configuration, or a single file of weights.

Weights alone do not determine the activation and the preprocessing, and with a wrong guess every
result is silently worse. "ARCH/TAG@PATH" gives both: the weights in the file were trained like, or
from, that released model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from open_clip.pretrained import list_pretrained_tags_by_model
from torch import Tensor

from napari_clip_heatmap.clip.hub.model_files import CONFIG_NAME, VOCABULARY_NAME
from napari_clip_heatmap.clip.sources.build import (
    build_from_parts,
    infer_config,
    is_openai,
    matching_architectures,
    refuse_unsupported,
)
from napari_clip_heatmap.clip.sources.checkpoint import WEIGHT_NAMES, find_weights, read_weights
from napari_clip_heatmap.clip.sources.conch import is_conch, load_conch
from napari_clip_heatmap.clip.sources.layouts import open_clip_config
from napari_clip_heatmap.clip.sources.normalization import (
    OPENAI,
    LoadedModel,
    Normalization,
    has_normalization,
    resolve_normalization,
)
from napari_clip_heatmap.clip.sources.open_clip_registry import architecture, released
from napari_clip_heatmap.clip.sources.transformers_format import (
    HF_CONFIG_NAME,
    HF_PREPROCESSING_NAME,
    has_own_vocabulary,
    is_transformers_folder,
    preprocess_config,
    read_json,
)
from napari_clip_heatmap.clip.text import configured_tokenizer
from napari_clip_heatmap.errors import ModelLoadError, shorten

__all__ = [
    "architectures_alike",
    "load_file",
    "load_folder",
    "refuse_folder",
]


def load_file(
    path: Path, name: str, normalization: Normalization | None = None, *, released_as: str = ""
) -> LoadedModel:
    """Load a file of weights.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.bin``, ``.pt`` or ``.pth``.
    name : str
        As the user gave it.
    normalization : Normalization, optional
        Instead of that of the tag.
    released_as : str
        "ARCH/TAG" in open_clip's list with the same architecture, activation and preprocessing;
        "ARCH" if `normalization` is given; empty for an archive of OpenAI or a checkpoint of
        CONCH, whose settings are known.

    Raises
    ------
    ModelLoadError
        The file is damaged, its weights do not fit, or its architecture or preprocessing is not
        known; nothing in it was executed.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    weights = read_weights(path)
    if not released_as and is_conch(weights):
        return load_conch(path, weights, name, normalization)
    if released_as.partition("/")[2]:
        model_cfg, tag_cfg = released(released_as)
    elif released_as:
        model_cfg, tag_cfg = architecture(released_as), {}
        if normalization is None:
            raise ModelLoadError(_ask_for_settings(path, [released_as]))
    elif is_openai(weights) and (inferred := infer_config(weights)):
        model_cfg = {**inferred, "quick_gelu": True}
        tag_cfg = {"mean": OPENAI.mean, "std": OPENAI.std}
    else:
        raise ModelLoadError(_ask_for_settings(path, _candidates(weights)))
    origin = released_as or str(path)
    refuse_unsupported(model_cfg, origin=origin)
    model = build_from_parts(model_cfg, weights, origin=origin, weights_origin=str(path))
    return LoadedModel(
        name=name,
        module=model,
        tokenizer=lambda: configured_tokenizer(model_cfg.get("text_cfg", {})),
        normalization=resolve_normalization(normalization, tag_cfg, origin=str(path)),
    )


def architectures_alike(path: Path) -> tuple[str, ...] | None:
    """Return the architectures with the shapes of a file of weights.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.bin``, ``.pt`` or ``.pth``.

    Returns
    -------
    tuple of str or None
        Names in open_clip's list; empty if no architecture matches. `load_file` then needs one of
        their released models. None if the file needs no other settings.

    Raises
    ------
    ModelLoadError
        The file is damaged, or holds anything but weights; nothing in it was executed.
    """
    weights = read_weights(path)
    known = is_conch(weights) or (is_openai(weights) and infer_config(weights))
    return None if known else tuple(_candidates(weights))


def _candidates(weights: Mapping[str, Tensor]) -> list[str]:
    inferred = infer_config(weights)
    return matching_architectures(inferred) if inferred else []


def _ask_for_settings(path: Path, archs: list[str]) -> str:
    """Return a message that asks for the settings of weights with one of these architectures."""
    names = [f"{arch}/{tag}" for arch in archs for tag in list_pretrained_tags_by_model(arch)]
    shapes = f" Their shapes are those of {shorten(' or '.join(archs), 60)}." if archs else ""
    example, *others = names[:4] or ["ARCH/TAG"]
    more = f" (or {', '.join(others)} ...)" if others else ""
    arch = archs[0] if archs else "ARCH"
    return (
        f"{shorten(path, 80)} holds weights, but not their activation and preprocessing.{shapes} "
        f"Name the released model that they were trained from, or like: '{example}@PATH'{more}; or "
        f"name the architecture, '{arch}@PATH', and the preprocessing: "
        "load_model(..., preprocess=...) or --preprocess."
    )


_ASSUMED = (
    "{} does not contain the mean and deviation of the colors that the model was trained with; "
    "OpenAI's are used, as open_clip does. If they are wrong, set preprocess= or --preprocess."
)


@dataclass(frozen=True)
class _Description:
    """The configuration files of a model folder, converted to open_clip's format."""

    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]
    origin: Path
    """The file that describes the model."""
    pixels: Path
    """The file that describes, or should describe, mean and deviation."""


def load_folder(folder: Path, name: str, normalization: Normalization | None = None) -> LoadedModel:
    """Load a model folder.

    Parameters
    ----------
    folder : Path
        Holds ``open_clip_config.json`` (``model_cfg`` and ``preprocess_cfg``), or the
        ``config.json`` and ``preprocessor_config.json`` of a transformers CLIP; a file of weights;
        the tokenizer's files if it is not CLIP's own; and optionally ``vocabulary.txt``: the
        words of the training captions, one lower-case word per line.
    name : str
        As the user gave it.
    normalization : Normalization, optional
        Instead of the one in the files.

    Raises
    ------
    ModelLoadError
        Something is missing, damaged, or does not fit; nothing in it was executed.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    if conch := _conch_file(folder):
        return load_file(conch, name, normalization)
    found = _describe(folder)
    model_cfg = found.model_cfg
    is_missing = found.pixels.name == CONFIG_NAME and not has_normalization(found.preprocess_cfg)
    assumed = normalization is None and is_missing
    if assumed:
        # OpenAI's is the default of this file's format; for other formats it would be a guess.
        normalization = OPENAI
    normalization = resolve_normalization(
        normalization, found.preprocess_cfg, origin=str(found.pixels)
    )
    refuse_unsupported(model_cfg, origin=str(found.origin))
    path = find_weights(folder)
    model = build_from_parts(
        model_cfg, read_weights(path), origin=str(found.origin), weights_origin=str(path)
    )
    return LoadedModel(
        name=name,
        module=model,
        tokenizer=lambda: configured_tokenizer(model_cfg.get("text_cfg", {}), folder),
        normalization=normalization,
        vocabulary=_read_vocabulary(folder),
        notices=(_ASSUMED.format(found.pixels),) if assumed else (),
    )


def refuse_folder(folder: Path) -> None:
    """Raise if a folder's configuration cannot be used; it needs no weights for this.

    Raises
    ------
    ModelLoadError
        The configuration is invalid, or this open_clip cannot build it.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    found = _describe(folder)
    refuse_unsupported(found.model_cfg, origin=str(found.origin))


def _conch_file(folder: Path) -> Path | None:
    """Return CONCH's checkpoint in a folder that describes no model; the authors ship none."""
    described = (folder / CONFIG_NAME).is_file() or is_transformers_folder(folder)
    if described or not any((folder / name).is_file() for name in WEIGHT_NAMES):
        return None
    path = find_weights(folder)
    return path if is_conch(read_weights(path)) else None


def _describe(folder: Path) -> _Description:
    if not folder.is_dir():
        raise ModelLoadError(f"There is no model folder {shorten(folder, 300)}.")
    path = folder / CONFIG_NAME
    if not path.is_file() and is_transformers_folder(folder):
        return _describe_transformers(folder)
    if not path.is_file():
        raise ModelLoadError(
            f"{shorten(folder, 150)} is not a model folder: it has no {CONFIG_NAME}. A model "
            "folder holds that file and open_clip_model.safetensors, as "
            f"`open_clip.push_to_hf_hub` writes them, or the {HF_CONFIG_NAME} and "
            "model.safetensors of a transformers CLIP."
        )
    config = read_json(path)
    if not isinstance(config.get("model_cfg"), dict):
        raise ModelLoadError(
            f"{shorten(path, 200)} has no 'model_cfg'; it is not an open_clip configuration."
        )
    preprocess_cfg = config.get("preprocess_cfg") or {}
    if not isinstance(preprocess_cfg, dict):
        raise ModelLoadError(
            f"{shorten(path, 200)} is not an open_clip configuration: its 'preprocess_cfg' is "
            f"{shorten(repr(preprocess_cfg))}."
        )
    return _Description(config["model_cfg"], preprocess_cfg, path, path)


def _describe_transformers(folder: Path) -> _Description:
    path = folder / HF_CONFIG_NAME
    model_cfg = open_clip_config(read_json(path), origin=str(path))
    if has_own_vocabulary(folder) or "hf_tokenizer_name" in model_cfg["text_cfg"]:
        model_cfg["text_cfg"]["hf_tokenizer_name"] = str(folder)
    pixels = folder / HF_PREPROCESSING_NAME
    return _Description(model_cfg, preprocess_config(folder), path, pixels)


def _read_vocabulary(folder: Path) -> frozenset[str]:
    path = folder / VOCABULARY_NAME
    if not path.is_file():
        return frozenset()
    try:
        return frozenset(path.read_text(encoding="utf-8").lower().split())
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise ModelLoadError(
            f"{shorten(path, 200)} cannot be read: {shorten(error, 150)}. It must be UTF-8 text "
            "with one word per line; it is optional, so it may also be removed."
        ) from error
