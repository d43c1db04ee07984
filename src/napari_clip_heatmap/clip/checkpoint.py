"""Weights from a file, without ever running code that the file carries."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["WEIGHT_NAMES", "find_weights", "read_weights"]

WEIGHT_NAMES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
"""Files of weights that open_clip writes or reads, the safest first."""


def find_weights(folder: Path) -> Path:
    """Return the file of weights in a model folder: a known name, else the only one there.

    Raises
    ------
    ModelLoadError
        There is none, or several among which none is known.
    """
    for name in WEIGHT_NAMES:
        if (folder / name).is_file():
            return folder / name
    for suffix in (".safetensors", ".bin", ".pth", ".pt"):
        found = sorted(folder.glob(f"*{suffix}"))
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelLoadError(
                f"{folder} holds several files of weights ({', '.join(f.name for f in found)}); "
                f"name the one to use {WEIGHT_NAMES[0]}."
            )
    raise ModelLoadError(
        f"{folder} holds no weights; put a file {WEIGHT_NAMES[0]} beside open_clip_config.json."
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU.

    Wrappers that training scripts leave (``state_dict``, ``module.``) are taken off.

    Raises
    ------
    ModelLoadError
        The file is damaged, or holds anything but tensors; nothing in it was executed.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ModelLoadError(f"{path} is no intact safetensors file: {error}.") from error
    except pickle.UnpicklingError as error:
        raise ModelLoadError(
            f"{path} holds code or objects beside its tensors, or is damaged. It was refused and "
            "nothing in it was executed. Ask its author for a safetensors file."
        ) from error
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, AttributeError) as error:
        raise ModelLoadError(f"{path} cannot be read as a checkpoint: {error}") from error
    return _unwrapped(content, path)


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise ModelLoadError(f"{path} holds no named tensors; it is no checkpoint of a model.")
    tensors = {str(name).removeprefix("module."): value for name, value in content.items()}
    odd = [name for name, value in tensors.items() if not isinstance(value, Tensor)]
    if odd:
        raise ModelLoadError(f"{path} holds something else than tensors: {', '.join(odd[:5])}.")
    return tensors
