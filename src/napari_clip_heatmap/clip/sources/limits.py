"""Limits for model configurations, checked before anything is built from them.

A configuration is a file that anyone may have written. Without limits, a million layers never
finish building, a width of 10^9 exhausts the memory, and a width that its heads do not divide ends
in a ZeroDivisionError inside open_clip, or in a wrong model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari_clip_heatmap.errors import ModelLoadError, SettingsError, shorten

__all__ = ["require_config_limits", "require_image_size"]

MAX_LAYERS = 256
MAX_WIDTH = 16_384
MAX_SIDE = 8_192
MAX_VOCABULARY = 4_000_000
MAX_CONTEXT = 32_768
MAX_RATIO = 64
MAX_NUMBER = 1e6

Check = Callable[[object], str]
"""Returns what is accepted if a value is not, else an empty string."""


def _whole(highest: int) -> Check:
    def check(value: object) -> str:
        is_valid = _is_whole(value) and 1 <= value <= highest  # type: ignore[operator]
        return "" if is_valid else f"a whole number from 1 to {highest}"

    return check


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_or_list(check: Check, lengths: tuple[int, ...]) -> Check:
    def check_all(value: object) -> str:
        if not isinstance(value, (list, tuple)):
            return check(value)
        if len(value) not in lengths:
            return f"one value or {lengths[0]} of them"
        return next((accepted for each in value if (accepted := check(each))), "")

    return check_all


def _optional(check: Check) -> Check:
    return lambda value: "" if value is None else check(value)


def _ratio(value: Any) -> str:
    is_valid = _is_number(value) and 0 < value <= MAX_RATIO
    return "" if is_valid else f"a number above 0, up to {MAX_RATIO}"


def _finite(value: Any) -> str:
    return "" if _is_number(value) and abs(value) <= MAX_NUMBER else "a finite number"


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "a text"


def _mapping(value: object) -> str:
    return "" if isinstance(value, Mapping) else "an object with named entries"


_SIDE = _one_or_list(_whole(MAX_SIDE), (2,))

_CHECKS: Mapping[str, Check] = {
    "layers": _one_or_list(_whole(MAX_LAYERS), (4,)),
    "width": _whole(MAX_WIDTH),
    "head_width": _whole(MAX_WIDTH),
    "heads": _whole(MAX_WIDTH),
    "mlp_ratio": _ratio,
    "patch_size": _optional(_SIDE),  # None in a ResNet
    "image_size": _SIDE,
    "ls_init_value": _optional(_finite),
    "patch_dropout": _finite,
    "attn_pooler_queries": _whole(MAX_CONTEXT),
    "attn_pooler_heads": _whole(MAX_WIDTH),
    "context_length": _whole(MAX_CONTEXT),
    "vocab_size": _whole(MAX_VOCABULARY),
    "n_queries": _whole(MAX_CONTEXT),
    "dim_head": _whole(MAX_WIDTH),
    "timm_model_name": _optional(_text),
    "hf_model_name": _optional(_text),
    "hf_tokenizer_name": _optional(_text),
    "tokenizer_kwargs": _optional(_mapping),
    "norm_kwargs": _optional(_mapping),
    "act_kwargs": _optional(_mapping),
}


def require_config_limits(model_cfg: Mapping[str, Any], *, origin: str) -> None:
    """Raise if an open_clip configuration has impossible values; entries not listed are ignored.

    Raises
    ------
    ModelLoadError
        With the entry, its value and what is accepted.
    """
    if "embed_dim" in model_cfg:
        _check("embed_dim", model_cfg["embed_dim"], _whole(MAX_WIDTH), origin)
    for part in ("vision_cfg", "text_cfg", "multimodal_cfg"):
        if part not in model_cfg:  # open_clip says itself that it is missing, if it is needed
            continue
        config = model_cfg[part]
        _check(part, config, _mapping, origin)
        for key, value in config.items():
            if key in _CHECKS:
                _check(f"{part}.{key}", value, _CHECKS[key], origin)
        _require_whole_heads(part, config, origin)
        _require_whole_patches(part, config, origin)
        _require_wide_mlp(part, config, origin)


def _check(name: str, value: object, check: Check, origin: str) -> None:
    accepted = check(value)
    if accepted:
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a model: its {name!r} is "
            f"{shorten(repr(value))}; accepted is {accepted}."
        )


def _require_whole_heads(part: str, config: Mapping[str, Any], origin: str) -> None:
    """Raise if heads do not divide the width: open_clip rounds and builds another model."""
    width = config.get("width")
    if not _is_whole(width) or isinstance(config.get("layers"), (list, tuple)):
        return
    key = "head_width" if part == "vision_cfg" else "heads"
    divisor = config.get(key)
    if divisor is not None and width % divisor:
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a model: in its {part!r}, {key} {divisor} does "
            f"not divide width {width}."
        )


def _require_whole_patches(part: str, config: Mapping[str, Any], origin: str) -> None:
    """Raise if a patch is larger than the image."""
    image, patch = (_pair(config.get(key)) for key in ("image_size", "patch_size"))
    if image and patch and (patch[0] > image[0] or patch[1] > image[1]):
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a model: in its {part!r}, patch_size {patch} is "
            f"larger than image_size {image}."
        )


def _require_wide_mlp(part: str, config: Mapping[str, Any], origin: str) -> None:
    """Raise if the hidden layer of the MLP would have no unit."""
    width, ratio = config.get("width"), config.get("mlp_ratio")
    if width is not None and ratio is not None and int(width * ratio) < 1:
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a model: in its {part!r}, mlp_ratio {ratio} of "
            f"width {width} leaves no unit in the MLP."
        )


def _pair(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    height, width = (size, size) if _is_whole(size) else size
    return height, width


def require_image_size(image_size: Any) -> tuple[Any, ...]:
    """Return a requested image size as a tuple; `families.resized` compares it with the patches.

    Raises
    ------
    SettingsError
        It is neither a number nor a sequence of numbers, or a side exceeds 8192 pixels.
    """
    sides = tuple(image_size) if isinstance(image_size, (list, tuple)) else (image_size,) * 2
    if not all(_is_number(side) and side <= MAX_SIDE for side in sides):
        raise SettingsError(
            f"image_size is {shorten(repr(image_size))}; accepted is a height and width in pixels, "
            f"or one number for both, up to {MAX_SIDE}."
        )
    return sides
