"""One file of weights: what belongs to them is known, or is asked for.

Weights alone tell neither the activation nor the preprocessing of the training, and a wrong guess
degrades every answer silently. "ARCH/TAG@PATH" says it all at once: weights trained like, or from,
a released model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from open_clip.pretrained import list_pretrained_tags_by_model
from torch import Tensor

from napari_clip_heatmap.clip.sources.build import assemble, refuse_unsupported
from napari_clip_heatmap.clip.sources.checkpoint import read_weights
from napari_clip_heatmap.clip.inference import infer_config, is_openai, matching_architectures
from napari_clip_heatmap.clip.preprocessing import settle_normalisation
from napari_clip_heatmap.clip.sources.open_clip_registry import architecture, released
from napari_clip_heatmap.clip.sources.normalization import OPENAI, Normalisation, Source
from napari_clip_heatmap.clip.tokenizers import configured_tokenizer
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["architectures_alike", "load_file"]


def load_file(
    path: Path, name: str, normalisation: Normalisation | None = None, *, like: str = ""
) -> Source:
    """Load a file of weights.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.bin``, ``.pt`` or ``.pth``.
    name : str
        As the user asked for it.
    normalisation : Normalisation, optional
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
    model = assemble(model_cfg, weights, origin=like or str(path), weights_origin=str(path))
    return Source(
        name=name,
        module=model,
        tokenizer=lambda: configured_tokenizer(model_cfg.get("text_cfg", {})),
        normalisation=settle_normalisation(normalisation, tag_cfg, origin=str(path)),
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
