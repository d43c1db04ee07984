"""TorchScript archives, as OpenAI published CLIP: their tensors are read, their program is not.

``torch.jit.load`` compiles the program that lies in such an archive, and torch's safe loader
refuses the archive for it. Here its object graph is read with every class replaced by an inert
record, so there is nothing that could run.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor

from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["is_torchscript", "read_torchscript", "refuse_inflating"]

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
    """Refuse a zip archive that would unpack to more than the file itself holds.

    torch stores everything but the text of programs, which is never read here, uncompressed; so
    another compressed member, or members that add up to more than the file, are there to fill the
    memory.

    Raises
    ------
    ModelLoadError
        It would, or it is no intact archive.
    """
    try:
        with ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not _is_program(each.filename)]
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise ModelLoadError(f"{path} is no intact archive: {error}.") from error
    unpacked, size = sum(member.file_size for member in members), path.stat().st_size
    if unpacked > size or any(member.compress_type != ZIP_STORED for member in members):
        raise ModelLoadError(
            f"{path} is an archive of {size} bytes that unpacks to {unpacked}; the tensors of a "
            "checkpoint are never compressed. It was refused and nothing in it was executed."
        )


def is_torchscript(path: Path) -> bool:
    """Whether a zip archive carries a TorchScript program beside its tensors."""
    with ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a TorchScript archive by name, on the CPU.

    Raises
    ------
    ModelLoadError
        It names a class that a model has no use for, or is damaged; nothing in it was executed.
    """
    try:
        with ZipFile(path) as archive:
            (root,) = {name.partition("/")[0] for name in archive.namelist()}
            with archive.open(f"{root}/data.pkl") as stream:
                graph = _InertUnpickler(stream, archive, root).load()
    except pickle.UnpicklingError as error:
        raise ModelLoadError(
            f"{path} was refused and nothing in it was executed: {error}."
        ) from error
    except (
        *(OSError, BadZipFile, EOFError, MemoryError),
        *(ValueError, TypeError, LookupError, AttributeError, RuntimeError),
    ) as error:
        raise ModelLoadError(f"{path} is no intact TorchScript archive: {error!r}.") from error
    return dict(_tensors(graph, "", set()))


def _is_program(member: str) -> bool:
    return member.split("/")[1:2] == ["code"]


@dataclass(eq=False)
class _Record:
    """Stands for an object of whatever class the archive names: holds its fields, does nothing."""

    fields: dict[str, Any] = field(default_factory=dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.fields = dict(state)


class _InertUnpickler(pickle.Unpickler):
    """Reads an object graph in which no class but those listed here can be named."""

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
        raise pickle.UnpicklingError(f"it asks for '{module}.{name}', which is no part of a model")

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
    """Return a view of a storage; torch refuses one that reaches beyond it."""
    view = storage.as_strided(tuple(size), tuple(stride), offset)
    if view.numel() > storage.numel():
        raise ValueError(f"a tensor of shape {tuple(size)} claims more than its storage holds")
    return view


def _tensors(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a graph of modules, each module once."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, _Record) and id(value) not in seen:
        seen.add(id(value))
        for key, inner in value.fields.items():
            yield from _tensors(inner, f"{name}.{key}" if name else str(key), seen)
