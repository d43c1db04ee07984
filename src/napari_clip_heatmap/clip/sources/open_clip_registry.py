"""Models in open_clip's list, by architecture and tag, such as "ViT-B-16/laion2b_s34b_b88k"."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import (
    download_pretrained_from_url,
    get_pretrained_cfg,
    list_pretrained_tags_by_model,
)

from napari_clip_heatmap.clip.hub.model_files import (
    Cancel,
    Progress,
    all_here,
    download_files,
    find_or_download,
    tag_files,
)
from napari_clip_heatmap.clip.hub.offline import (
    FETCH_ERRORS,
    by_hand_advice,
    failure_reason,
    folder_by_hand,
    placed_by_hand,
)
from napari_clip_heatmap.clip.sources.build import build_from_parts, refuse_unsupported
from napari_clip_heatmap.clip.sources.checkpoint import find_weights, read_weights
from napari_clip_heatmap.clip.sources.normalization import (
    LoadedModel,
    Normalization,
    resolve_normalization,
)
from napari_clip_heatmap.clip.text import configured_tokenizer
from napari_clip_heatmap.errors import ModelLoadError, shorten

__all__ = ["architecture", "download_tag", "load_tag", "released", "tag_is_here"]

_ADDRESS_ERRORS: tuple[type[Exception], ...] = (*FETCH_ERRORS, RuntimeError)
"""Errors of a download, and what open_clip raises for a wrong hash."""


def load_tag(name: str, normalization: Normalization | None = None) -> LoadedModel:
    """Load "ARCH/TAG"; weights that are not on this machine are downloaded into the hub's cache.

    Raises
    ------
    ModelLoadError
        The architecture or tag is unknown, or the weights cannot be downloaded or read.
    UnsupportedModelError
        The image tower cannot be decomposed; raised before anything is downloaded.
    """
    model_cfg, tag_cfg = released(name)
    refuse_unsupported(model_cfg, origin=name)
    path = _weights(name, model_cfg, tag_cfg)
    model = build_from_parts(model_cfg, read_weights(path), origin=name, weights_origin=str(path))
    return LoadedModel(
        name=name,
        module=model,
        tokenizer=lambda: configured_tokenizer(model_cfg.get("text_cfg", {}), folder_by_hand(name)),
        normalization=resolve_normalization(normalization, tag_cfg, origin=name),
    )


def architecture(arch: str) -> dict[str, Any]:
    """Return open_clip's configuration of an architecture.

    Raises
    ------
    ModelLoadError
        It has none of that name.
    """
    config: dict[str, Any] | None = open_clip.get_model_config(arch)
    if config is None:
        near = get_close_matches(arch, open_clip.list_models(), n=5, cutoff=0.5)
        hint = f" Similar names: {', '.join(near)}." if near else ""
        raise ModelLoadError(
            f"open_clip has no architecture {shorten(repr(arch))}.{hint} A model is 'demo', "
            "'ARCH/TAG' such as 'ViT-B-16/laion2b_s34b_b88k', 'hf-hub:ORG/NAME', 'local-dir:PATH', "
            "or the path of a file of weights."
        )
    return config


def released(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configurations of the architecture and of the tag in "ARCH/TAG".

    The activation is that of the tag: with another one every result is silently worse.

    Raises
    ------
    ModelLoadError
        The architecture or tag is unknown.
    """
    arch, _, tag = name.partition("/")
    model_cfg = architecture(arch)
    tags = list_pretrained_tags_by_model(arch)
    if tag not in tags:
        known = ", ".join(f"'{arch}/{each}'" for each in tags) or "none; use 'local-dir:PATH'"
        problem = (
            f"There is no tag {shorten(repr(tag))} for {arch}."
            if tag
            else f"{arch} is an architecture; name its weights too."
        )
        raise ModelLoadError(f"{problem} Available: {shorten(known, 350)}.")
    tag_cfg = dict(get_pretrained_cfg(arch, tag))
    quick_gelu = bool(tag_cfg.get("quick_gelu", model_cfg.get("quick_gelu", False)))
    return {**model_cfg, "quick_gelu": quick_gelu}, tag_cfg


def download_tag(name: str, *, progress: Progress, cancelled: Cancel) -> Path:
    """Download the files of "ARCH/TAG", tokenizer included; return the path of the weights.

    Raises
    ------
    ModelLoadError
        There is no such tag, or a file cannot be downloaded.
    UnsupportedModelError
        The image tower cannot be decomposed; raised before anything is downloaded.
    Cancelled
        `cancelled` returned true.
    """
    model_cfg, tag_cfg = released(name)
    refuse_unsupported(model_cfg, origin=name)
    if not tag_cfg.get("hf_hub"):
        return _from_address(name, tag_cfg["url"])
    files = tag_files(tag_cfg, model_cfg.get("text_cfg", {}))
    return download_files(name, files, progress=progress, cancelled=cancelled)[0]


def tag_is_here(name: str) -> bool:
    """Return whether "ARCH/TAG" can be loaded without a download.

    Raises
    ------
    ModelLoadError
        The architecture or tag is unknown.
    """
    model_cfg, tag_cfg = released(name)
    if placed_by_hand(name):
        return True
    if not tag_cfg.get("hf_hub"):
        return False  # open_clip looks into its own cache when it loads the weights
    files = tag_files(tag_cfg, model_cfg.get("text_cfg", {}))
    return all_here(files)


def _weights(name: str, model_cfg: dict[str, Any], tag_cfg: dict[str, Any]) -> Path:
    """Return the file of weights: placed by hand, in the cache, or downloaded now."""
    if placed_by_hand(name):
        return find_weights(folder_by_hand(name))
    if not tag_cfg.get("hf_hub"):
        return _from_address(name, tag_cfg["url"])
    return find_or_download(name, tag_files(tag_cfg, model_cfg.get("text_cfg", {})))[0]


def _from_address(name: str, url: str) -> Path:
    """Return weights that older versions of open_clip list by a plain address only."""
    try:
        return Path(download_pretrained_from_url(url))
    except _ADDRESS_ERRORS as error:
        raise ModelLoadError(
            f"The weights of '{name}' could not be downloaded from {url}: "
            f"{failure_reason(error)}. {by_hand_advice(name, (url,))}"
        ) from error
