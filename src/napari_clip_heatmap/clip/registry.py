"""Models that open_clip knows by architecture and tag, such as "ViT-B-16/laion2b_s34b_b88k"."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

import open_clip
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

from napari_clip_heatmap.clip.building import refuse_unsupported
from napari_clip_heatmap.clip.hub import FETCH_ERRORS, by_hand
from napari_clip_heatmap.clip.source import Source, normalisation_of
from napari_clip_heatmap.clip.tokenizers import configured_tokenizer
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["load_tag"]


def load_tag(name: str) -> Source:
    """Load "ARCH/TAG"; the weights come from open_clip's cache, or are downloaded into it.

    Raises
    ------
    ModelLoadError
        Architecture or tag is unknown, or the weights cannot be had.
    UnsupportedModelError
        The image tower cannot be decomposed; told before anything is downloaded.
    """
    arch, _, tag = name.partition("/")
    tag_cfg = _tag_config(arch, tag)
    model_cfg = open_clip.get_model_config(arch)
    quick_gelu = bool(tag_cfg.get("quick_gelu", model_cfg.get("quick_gelu", False)))
    refuse_unsupported({**model_cfg, "quick_gelu": quick_gelu}, origin=arch)
    return Source(
        name=name,
        module=_create(arch, tag, tag_cfg, quick_gelu=quick_gelu),
        tokenizer=lambda: configured_tokenizer(model_cfg.get("text_cfg", {})),
        normalisation=normalisation_of(tag_cfg),
    )


def _tag_config(arch: str, tag: str) -> dict[str, Any]:
    if open_clip.get_model_config(arch) is None:
        near = get_close_matches(arch, open_clip.list_models(), n=5, cutoff=0.5)
        hint = f" Near to it: {', '.join(near)}." if near else ""
        raise ModelLoadError(
            f"open_clip knows no architecture {arch!r}.{hint} A model is 'demo', 'ARCH/TAG' such "
            "as 'ViT-B-16/laion2b_s34b_b88k', 'hf-hub:ORG/NAME' or 'local-dir:PATH'."
        )
    tags = list_pretrained_tags_by_model(arch)
    if tag not in tags:
        known = ", ".join(f"'{arch}/{each}'" for each in tags) or "none; use 'local-dir:PATH'"
        asked = (
            f"There is no tag {tag!r} for" if tag else "It is not said which weights to take for"
        )
        raise ModelLoadError(f"{asked} {arch}. Its weights: {known}.")
    return dict(get_pretrained_cfg(arch, tag))


def _create(arch: str, tag: str, tag_cfg: dict[str, Any], *, quick_gelu: bool) -> Any:
    options: dict[str, Any] = {"force_quick_gelu": quick_gelu, "precision": "fp32", "device": "cpu"}
    if "weights_only" in inspect.signature(open_clip.create_model).parameters:
        options["weights_only"] = True
    try:
        return open_clip.create_model(arch, pretrained=tag, **options).eval()
    except FETCH_ERRORS as error:
        origin = tag_cfg.get("hf_hub") or tag_cfg.get("url") or "its source"
        raise ModelLoadError(
            f"The weights of '{arch}/{tag}' could not be had from {origin}: {error}. {by_hand()}"
        ) from error
