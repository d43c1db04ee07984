"""Read weights from a file without ever running code in it."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from napari_clip_heatmap.errors import ModelLoadError, shorten

__all__ = [
    "WEIGHT_NAMES",
    "WEIGHT_SUFFIXES",
    "find_weights",
    "is_file",
    "is_torchscript",
    "read_torchscript",
    "read_weights",
    "refuse_inflating",
]


WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
"""Suffixes of files of weights, the safest first."""

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
"""Names of files of weights of open_clip, then of transformers, the safest first.

In a folder with files of both libraries, open_clip's configuration is used.
"""

_WRAPPERS = ("state_dict", "model_state_dict", "model")

_PREFIXES = ("module.", "_orig_mod.", "module.", "model.", "clip.")
"""Prefixes that data-parallel training, compilation and an enclosing module add to names."""


def is_file(path: Path) -> bool:
    """Return whether a path is a file; a name that the system cannot have is not."""
    try:
        return path.is_file()
    except OSError:
        return False


def find_weights(folder: Path) -> Path:
    """Return the file of weights in a model folder: one with a known name, else the only one.

    Raises
    ------
    ModelLoadError
        There is none, or there are several with unknown names.
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
                f"{shorten(folder, 150)} holds several files of weights "
                f"({shorten(', '.join(f.name for f in found), 200)}); rename the one to use to "
                f"{WEIGHT_NAMES[0]}."
            )
    raise ModelLoadError(
        f"{shorten(folder, 150)} holds no weights; add a file {WEIGHT_NAMES[0]} next to "
        "open_clip_config.json."
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU.

    Wrappers of training scripts (``state_dict``, ``module.``) are removed. Of a TorchScript archive
    only the tensors are read.

    Raises
    ------
    ModelLoadError
        The file is damaged, or holds anything but tensors; nothing in it was executed.
    """
    if not is_file(path):
        raise ModelLoadError(f"There is no file of weights {shorten(path, 300)}.")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        if is_zipfile(path):
            refuse_inflating(path)
            if is_torchscript(path):
                return _plain(read_torchscript(path), path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ModelLoadError(
            f"{shorten(path, 150)} is not an intact safetensors file: {shorten(error, 200)}."
        ) from error
    except pickle.UnpicklingError as error:
        raise ModelLoadError(
            f"{shorten(path, 150)} holds code or objects besides tensors, or is damaged. It was "
            "refused and nothing in it was executed. Ask its author for a safetensors file; if it "
            "is yours, save the tensors alone: "
            "safetensors.torch.save_file(model.state_dict(), PATH)."
        ) from error
    except ModelLoadError:  # a RuntimeError, but with a better message
        raise
    except (
        *(OSError, EOFError, MemoryError, struct.error, AssertionError, BadZipFile),
        *(ValueError, TypeError, LookupError, AttributeError, RuntimeError),
    ) as error:
        raise ModelLoadError(
            f"{shorten(path, 150)} cannot be read as a checkpoint: {shorten(repr(error), 250)}"
        ) from error
    return _plain(_unwrapped(content, path), path)


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    """Return the named tensors without the wrappers that a training script added."""
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ModelLoadError(
            f"{shorten(path, 150)} holds no named tensors; it is not a checkpoint of a model."
        )
    tensors = {str(name): value for name, value in content.items()}
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _plain(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Refuse values that are not tensors, or that claim more numbers than the file holds."""
    refused = [name for name, value in tensors.items() if not _is_plain(value)]
    if refused or not tensors:
        names = shorten(", ".join(refused[:5]), 200) or "nothing"
        raise ModelLoadError(
            f"{shorten(path, 150)} holds something other than plain tensors: {names}. It was "
            "refused."
        )
    return tensors


def _is_plain(value: object) -> bool:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
        return False
    stored = value.device.type == "cpu" and value.untyped_storage().nbytes()
    return stored is not False and value.numel() * value.element_size() <= stored


_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def refuse_inflating(path: Path) -> None:
    """Refuse a zip archive that unpacks to more bytes than the file has.

    torch compresses nothing but the text of programs, which is never read here. Other compressed
    members, or members that add up to more than the file, can only be there to exhaust the memory.

    Raises
    ------
    ModelLoadError
        It unpacks to more, or is not an intact archive.
    """
    try:
        with ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not _is_program(each.filename)]
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise ModelLoadError(
            f"{shorten(path, 150)} is not an intact archive: {shorten(error, 200)}."
        ) from error
    unpacked, size = sum(member.file_size for member in members), path.stat().st_size
    if unpacked > size or any(member.compress_type != ZIP_STORED for member in members):
        raise ModelLoadError(
            f"{shorten(path, 150)} is an archive of {size} bytes that unpacks to {unpacked}; the "
            "tensors of a checkpoint are never compressed. It was refused and nothing in it was "
            "executed."
        )


def is_torchscript(path: Path) -> bool:
    """Return whether a zip archive holds a TorchScript program."""
    with ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a TorchScript archive by name, on the CPU.

    Raises
    ------
    ModelLoadError
        It names a class that no model needs, or is damaged; nothing in it was executed.
    """
    try:
        with ZipFile(path) as archive:
            (root,) = {name.partition("/")[0] for name in archive.namelist()}
            with archive.open(f"{root}/data.pkl") as stream:
                graph = _InertUnpickler(stream, archive, root).load()
    except pickle.UnpicklingError as error:
        raise ModelLoadError(
            f"{shorten(path, 150)} was refused and nothing in it was executed: "
            f"{shorten(error, 200)}."
        ) from error
    except (
        *(OSError, BadZipFile, EOFError, MemoryError),
        *(ValueError, TypeError, LookupError, AttributeError, RuntimeError),
    ) as error:
        raise ModelLoadError(
            f"{shorten(path, 150)} is not an intact TorchScript archive: "
            f"{shorten(repr(error), 200)}."
        ) from error
    return dict(_tensors(graph, "", set()))


def _is_program(member: str) -> bool:
    return member.split("/")[1:2] == ["code"]


@dataclass(eq=False)
class _Record:
    """Replaces an object of any class in the archive; holds its fields and runs no code."""

    fields: dict[str, Any] = field(default_factory=dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.fields = dict(state)


class _InertUnpickler(pickle.Unpickler):
    """Reads an object graph; any class that is not listed here is refused."""

    def __init__(self, stream: Any, archive: ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "__torch__":  # classes of the program in the archive
            return _Record
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch.jit._pickle":  # typed lists
            return _first
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        raise pickle.UnpicklingError(f"it requests '{module}.{name}', which no model needs")

    def persistent_load(self, pid: Any) -> Tensor:
        """Return one flat storage of the archive."""
        _, dtype, key, _, count = pid
        content = bytearray(self._archive.read(f"{self._root}/data/{key}"))
        if len(content) != count * dtype.itemsize:
            raise ValueError(f"storage {key} holds {len(content)} bytes for {count} {dtype}")
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _first(value: Any, *_: Any) -> Any:
    return value


def _tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    """Return a view of a storage; torch refuses one that exceeds it."""
    view = storage.as_strided(tuple(size), tuple(stride), offset)
    if view.numel() > storage.numel():
        raise ValueError(f"a tensor of shape {tuple(size)} claims more than its storage holds")
    return view


def _tensors(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and tensors of a graph of modules, each module once."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, _Record) and id(value) not in seen:
        seen.add(id(value))
        for key, inner in value.fields.items():
            yield from _tensors(inner, f"{name}.{key}" if name else str(key), seen)
