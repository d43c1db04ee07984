"""One file of weights: what belongs to them is known, or is asked for.

Weights alone tell neither the activation nor the preprocessing of the training, and a wrong guess
degrades every answer silently. "ARCH/TAG@PATH" says it all at once: weights trained like, or from,
a released model.
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
from napari_clip_heatmap.clip.sources.checkpoint import find_weights, read_weights
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
    open_clip_config,
    preprocess_config,
    read_json,
)
from napari_clip_heatmap.clip.text import configured_tokenizer
from napari_clip_heatmap.errors import ModelLoadError

__all__ = [
    "architectures_alike",
    "load_file",
    "load_folder",
    "refuse_folder",
]


def load_file(
    path: Path, name: str, normalisation: Normalization | None = None, *, like: str = ""
) -> LoadedModel:
    """Load a file of weights.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.bin``, ``.pt`` or ``.pth``.
    name : str
        As the user asked for it.
    normalisation : Normalization, optional
        Instead of what the tag says.
    like : str
        "ARCH/TAG" of open_clip that has the same architecture, activation and preprocessing; "ARCH"
        where `normalisation` is given; empty for an archive of OpenAI's, which is known.

    Raises
    ------
    ModelLoadError
        The file is damaged, holds other weights, or it is not said what belongs to them; nothing
        in it was executed.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    weights = read_weights(path)
    if like.partition("/")[2]:
        model_cfg, tag_cfg = released(like)
    elif like:
        model_cfg, tag_cfg = architecture(like), {}
        if normalisation is None:
            raise ModelLoadError(_question(path, [like]))
    elif is_openai(weights) and (inferred := infer_config(weights)):
        model_cfg = {**inferred, "quick_gelu": True}
        tag_cfg = {"mean": OPENAI.mean, "std": OPENAI.std}
    else:
        raise ModelLoadError(_question(path, _candidates(weights)))
    refuse_unsupported(model_cfg, origin=like or str(path))
    model = build_from_parts(model_cfg, weights, origin=like or str(path), weights_origin=str(path))
    return LoadedModel(
        name=name,
        module=model,
        tokenizer=lambda: configured_tokenizer(model_cfg.get("text_cfg", {})),
        normalisation=resolve_normalization(normalisation, tag_cfg, origin=str(path)),
    )


def architectures_alike(path: Path) -> tuple[str, ...] | None:
    """Return the architectures that a file of weights has the shapes of.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.bin``, ``.pt`` or ``.pth``.

    Returns
    -------
    tuple of str or None
        Of open_clip's list, empty where the shapes do not tell; one of their released models is to
        be named for `load_file`. None where the file itself says what belongs to the weights.

    Raises
    ------
    ModelLoadError
        The file is damaged, or holds anything but weights; nothing in it was executed.
    """
    weights = read_weights(path)
    return None if is_openai(weights) and infer_config(weights) else tuple(_candidates(weights))


def _candidates(weights: Mapping[str, Tensor]) -> list[str]:
    inferred = infer_config(weights)
    return matching_architectures(inferred) if inferred else []


def _question(path: Path, archs: list[str]) -> str:
    """Return what to ask about weights of one of these architectures."""
    tags = [
        f"'{arch}/{tag}@{path}'" for arch in archs for tag in list_pretrained_tags_by_model(arch)
    ]
    seen = f" By their shapes they are of {' or '.join(archs)}." if archs else ""
    shown = ", ".join(tags[:4]) if tags else f"'ARCH/TAG@{path}'"
    arch = archs[0] if archs else "ARCH"
    return (
        f"{path} holds weights, but not which activation and preprocessing belong to them.{seen} "
        f"Name the released model that they were trained from, or like: {shown} ...; or name the "
        f"architecture alone, '{arch}@{path}', and the preprocessing: "
        "load_model(..., preprocess=...) or --preprocess."
    )


_ASSUMED = (
    "{} does not say which mean and deviation of the colours the model was trained with; OpenAI's "
    "are used, as open_clip does. If they are others, say them: preprocess=, or --preprocess."
)


@dataclass(frozen=True)
class _Description:
    """What the files beside the weights say, in open_clip's words."""

    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]
    origin: Path
    """The file that describes the model."""
    pixels: Path
    """The file that describes, or should describe, mean and deviation."""


def load_folder(folder: Path, name: str, normalisation: Normalization | None = None) -> LoadedModel:
    """Load a model folder.

    Parameters
    ----------
    folder : Path
        Holds ``open_clip_config.json`` (``model_cfg`` and ``preprocess_cfg``), or the
        ``config.json`` and ``preprocessor_config.json`` of a transformers CLIP; a file of weights;
        the tokenizer's files where it is not CLIP's own; and optionally ``vocabulary.txt``: the
        words of the training captions, one lower-case word a line.
    name : str
        As the user asked for it.
    normalisation : Normalization, optional
        Instead of what the files say.

    Raises
    ------
    ModelLoadError
        Something is missing, damaged, or does not fit; nothing in it was executed.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    found = _describe(folder)
    model_cfg = found.model_cfg
    silent = found.pixels.name == CONFIG_NAME and not has_normalization(found.preprocess_cfg)
    assumed = normalisation is None and silent
    if assumed:
        # By this file's own format nothing said is OpenAI's; elsewhere it would be a guess.
        normalisation = OPENAI
    normalisation = resolve_normalization(
        normalisation, found.preprocess_cfg, origin=str(found.pixels)
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
        normalisation=normalisation,
        vocabulary=_read_vocabulary(folder),
        notices=(_ASSUMED.format(found.pixels),) if assumed else (),
    )


def refuse_folder(folder: Path) -> None:
    """Refuse a folder by its configuration alone; no weights need be in it yet.

    Raises
    ------
    ModelLoadError
        The configuration is damaged, or not one that this open_clip knows.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    found = _describe(folder)
    refuse_unsupported(found.model_cfg, origin=str(found.origin))


def _describe(folder: Path) -> _Description:
    if not folder.is_dir():
        raise ModelLoadError(f"There is no model folder {folder}.")
    path = folder / CONFIG_NAME
    if not path.is_file() and is_transformers_folder(folder):
        return _describe_huggingface(folder)
    if not path.is_file():
        raise ModelLoadError(
            f"{folder} is no model folder: it has no {CONFIG_NAME}. A model folder holds that file "
            "and open_clip_model.safetensors, as `open_clip.push_to_hf_hub` writes them, or the "
            f"{HF_CONFIG_NAME} and model.safetensors of a transformers CLIP."
        )
    config = read_json(path)
    if not isinstance(config.get("model_cfg"), dict):
        raise ModelLoadError(f"{path} has no 'model_cfg'; it is no open_clip configuration.")
    return _Description(config["model_cfg"], config.get("preprocess_cfg") or {}, path, path)


def _describe_huggingface(folder: Path) -> _Description:
    path = folder / HF_CONFIG_NAME
    model_cfg = open_clip_config(read_json(path), origin=str(path))
    if has_own_vocabulary(folder):
        model_cfg["text_cfg"]["hf_tokenizer_name"] = str(folder)
    pixels = folder / HF_PREPROCESSING_NAME
    return _Description(model_cfg, preprocess_config(folder), path, pixels)


def _read_vocabulary(folder: Path) -> frozenset[str]:
    path = folder / VOCABULARY_NAME
    if not path.is_file():
        return frozenset()
    return frozenset(path.read_text(encoding="utf-8").lower().split())
