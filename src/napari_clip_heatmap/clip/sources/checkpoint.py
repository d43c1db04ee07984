"""Weights from a file, without ever running code that the file carries."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from napari_clip_heatmap.clip.archive import is_torchscript, read_torchscript, refuse_inflating
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["WEIGHT_NAMES", "WEIGHT_SUFFIXES", "find_weights", "read_weights"]

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
"""Endings of files of weights, the safest first."""

WEIGHT_NAMES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
"""Files of weights that open_clip, then transformers, writes or reads, the safest first.

A folder that holds both libraries' files is described by open_clip's configuration.
"""

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.", "module.", "model.", "clip.")
"""What data-parallel training, compilation and an enclosing module put before every name."""


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
    for suffix in WEIGHT_SUFFIXES:
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

    Wrappers that training scripts leave (``state_dict``, ``module.``) are taken off, and of a
    TorchScript archive only the tensors are read.

    Raises
    ------
    ModelLoadError
        The file is damaged, or holds anything but tensors; nothing in it was executed.
    """
    if not path.is_file():
        raise ModelLoadError(f"There is no file of weights {path}.")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        if is_zipfile(path):
            refuse_inflating(path)
            if is_torchscript(path):
                return _plain(read_torchscript(path), path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ModelLoadError(f"{path} is no intact safetensors file: {error}.") from error
    except pickle.UnpicklingError as error:
        raise ModelLoadError(
            f"{path} holds code or objects beside its tensors, or is damaged. It was refused and "
            "nothing in it was executed. Ask its author for a safetensors file; if it is yours, "
            "save the tensors alone: safetensors.torch.save_file(model.state_dict(), PATH)."
        ) from error
    except ModelLoadError:  # it says more, and is a RuntimeError
        raise
    except (
        *(OSError, EOFError, MemoryError, struct.error, AssertionError, BadZipFile),
        *(ValueError, TypeError, LookupError, AttributeError, RuntimeError),
    ) as error:
        raise ModelLoadError(f"{path} cannot be read as a checkpoint: {error!r}") from error
    return _plain(_unwrapped(content, path), path)


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    """Return the named tensors inside what a training script saved around them."""
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ModelLoadError(f"{path} holds no named tensors; it is no checkpoint of a model.")
    tensors = {str(name): value for name, value in content.items()}
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _plain(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Refuse what is no tensor, or one that claims more numbers than the file holds."""
    odd = [name for name, value in tensors.items() if not _is_plain(value)]
    if odd or not tensors:
        raise ModelLoadError(
            f"{path} holds something else than plain tensors: {', '.join(odd[:5]) or 'nothing'}. "
            "It was refused."
        )
    return tensors


def _is_plain(value: object) -> bool:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
        return False
    stored = value.device.type == "cpu" and value.untyped_storage().nbytes()
    return stored is not False and value.numel() * value.element_size() <= stored
