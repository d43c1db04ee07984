"""Hashes of bytes, arrays, files and records: one algorithm, SHA-256, for the whole package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["hash_arrays", "hash_bytes", "hash_file", "hash_git_blob", "hash_json"]


def hash_bytes(pieces: Iterable[bytes | memoryview]) -> str:
    """Return the SHA-256 of all pieces, one after another, in hexadecimal."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def hash_arrays(arrays: Iterable[NDArray[Any]]) -> str:
    """Return the SHA-256 of the values of all arrays, in C order.

    The mask of a masked array counts. Shape and type do not: store them with the hash where they
    matter. Arrays of Python objects have no bytes of their own and are skipped.
    """
    return hash_bytes(piece for array in arrays for piece in _array_bytes(array))


def hash_json(content: object) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hash_bytes([text.encode()])


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_git_blob(path: Path) -> str:
    """Return the SHA-1 that git gives a file, which the Hugging Face hub lists for small files."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _array_bytes(array: NDArray[Any]) -> Iterator[memoryview]:
    if not array.size or array.dtype.hasobject:
        return
    yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    if isinstance(array, np.ma.MaskedArray):
        yield np.packbits(np.ma.getmaskarray(array)).data
