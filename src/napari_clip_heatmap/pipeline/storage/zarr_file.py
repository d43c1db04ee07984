"""Named arrays and a record as Zarr: written completely or not at all, and verified when read.

A path that ends in ``.zip`` becomes one file, any other a folder; both are plain Zarr (version 3),
which other programs read too. The group's attributes hold the record and the SHA-256 of each array
and of the record itself, so that damaged data are never used.
"""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import EncodingFileError, OutputError
from napari_clip_heatmap.hashing import hash_arrays, hash_json

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["LOSS", "PART", "from_half", "read_arrays", "to_half", "write_arrays"]


FORMAT = 1
"""Version of the record and the arrays; a reader refuses a higher one."""

PART = ".part"
"""Ending of files that are still being written."""

_ENTRY = "clip_heatmap_encoding"

_METADATA = "zarr.json"

_CHUNK = 8 * 2**20
"""Bytes per chunk, about."""

_DAMAGE = (
    OSError,
    ValueError,  # text that is not JSON, or not UTF-8
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zarr, zipfile and the codecs raise when bytes have changed."""


def write_arrays(
    path: Path, record: Mapping[str, object], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays and a record; what is at the path is replaced at the very end.

    Parameters
    ----------
    path : Path
        A file that ends in ``.zip``, or a folder.
    record : mapping
        JSON-able values.
    arrays : mapping of str to array
        No array may be empty.

    Raises
    ------
    OSError
        The disk refuses; nothing is left behind, and what was there is kept.
    """
    part = path.with_name(f".{path.stem}-{uuid4().hex}{PART}{path.suffix}")
    ordered = {name: _little(array) for name, array in arrays.items()}
    content = {
        "format": FORMAT,
        "record": dict(record),
        "arrays": {name: _describe(array) for name, array in ordered.items()},
    }
    try:
        _write(part, {_ENTRY: content, "sha256": hash_json(content)}, ordered)
        _put_in_place(part, path)
    finally:
        _remove(part)


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `write_arrays` wrote, and verify it.

    Returns
    -------
    record : dict
    arrays : dict of str to array

    Raises
    ------
    EncodingFileError
        It does not exist, is another kind of file, is of a newer version, or is damaged.
    """
    if not path.exists():
        raise EncodingFileError(f"there is no saved encoding '{path}'; give another path")
    try:
        with _opened(path) as store:
            return _read(store, path)
    except EncodingFileError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EncodingFileError(
            f"'{path}' cannot be read as a saved encoding ({reason}): it is damaged, incomplete or "
            "something else. Get another copy, or encode the image again"
        ) from error


def _read(store: Store, path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    import zarr

    group = zarr.open_group(store, mode="r")
    attributes = group.attrs.asdict()
    content: Any = attributes.get(_ENTRY)
    if not isinstance(content, dict):
        raise EncodingFileError(
            f"'{path}' is no saved encoding: its attributes have no '{_ENTRY}'. "
            "Choose one that `encoding.save` wrote"
        )
    if hash_json(content) != attributes.get("sha256"):
        raise _damaged(path, "its record")
    if content["format"] > FORMAT:
        raise EncodingFileError(
            f"'{path}' has format {content['format']}, and this version reads up to {FORMAT}; "
            "update napari-clip-heatmap"
        )
    arrays = {}
    for name, described in content["arrays"].items():
        stored: Any = group[name]
        # Before it is read: a shape that has changed could ask for any amount of memory.
        if list(stored.shape) != described["shape"] or stored.dtype.str != described["dtype"]:
            raise _damaged(path, f"its array '{name}'")
        arrays[name] = np.asarray(stored[...])
        if _describe(arrays[name]) != described:
            raise _damaged(path, f"its array '{name}'")
    return content["record"], arrays


def _damaged(path: Path, what: str) -> EncodingFileError:
    return EncodingFileError(
        f"'{path}' is damaged: {what} is not what was written. Get another copy, or encode the "
        "image again"
    )


def _describe(array: NDArray[Any]) -> dict[str, object]:
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.str,
        "sha256": hash_arrays([array]),
    }


def _little(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in little-endian order: the same bytes on every machine."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _write(
    path: Path, attributes: Mapping[str, object], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a group: each array's metadata and chunks by their keys.

    Zarr itself takes ten times as long for small arrays, most of it to wait for its own threads.
    """
    import imagecodecs

    group = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    small = sum(array.nbytes for array in arrays.values()) <= _CHUNK
    with _new_store(path, small=small) as put:
        put(_METADATA, json.dumps(group).encode())
        for name, array in arrays.items():
            rows = min(len(array), max(1, len(array) * _CHUNK // max(array.nbytes, 1)))
            chunk = (rows, *array.shape[1:])
            put(f"{name}/{_METADATA}", _array_metadata(array.shape, chunk, array.dtype.str))
            corner = "/0" * (array.ndim - 1)
            for number, first in enumerate(range(0, len(array), rows)):
                part = array[first : first + rows]
                # The last chunk is as large as the others.
                whole = part.tobytes().ljust(rows * array.nbytes // len(array), b"\0")
                coded = bytes(imagecodecs.zstd_encode(whole, level=0))
                put(f"{name}/c/{number}{corner}", coded)


@lru_cache(maxsize=256)
def _array_metadata(shape: tuple[int, ...], chunk: tuple[int, ...], dtype: str) -> bytes:
    """Return what Zarr says of an array; images of one size have the same ones."""
    import zarr
    from zarr.codecs import ZstdCodec

    kept: dict[str, Any] = {}
    # Explicit, because an environment variable can change zarr's default.
    zarr.create_array(
        zarr.storage.MemoryStore(kept),
        shape=shape,
        chunks=chunk,
        dtype=dtype,
        fill_value=0,
        compressors=ZstdCodec(level=0),
        zarr_format=3,
    )
    metadata: bytes = kept[_METADATA].to_bytes()
    return metadata


@contextmanager
def _new_store(path: Path, *, small: bool) -> Iterator[Callable[[str, bytes], object]]:
    """Yield what puts bytes under a key: into a zip file, or a folder."""
    if path.suffix == ".zip":
        # In memory: on disk, zipfile goes back to the head of each entry.
        content = io.BytesIO()
        with zipfile.ZipFile(content if small else path, "w") as archive:
            yield archive.writestr
        if small:
            path.write_bytes(content.getbuffer())
        return

    def put(key: str, content: bytes) -> None:
        file = path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    yield put


@contextmanager
def _opened(path: Path) -> Iterator[Store]:
    from zarr.storage import LocalStore, ZipStore

    zipped = not path.is_dir()
    if zipped and not zipfile.is_zipfile(path):
        # zarr opens it lazily, and would fail for another reason on closing.
        raise zipfile.BadZipFile("it is no zip file")
    store: Any = ZipStore(path, mode="r") if zipped else LocalStore(path, read_only=True)
    try:
        yield store
    finally:
        store.close()


def _put_in_place(part: Path, path: Path) -> None:
    """Rename the written file; a folder of that name is replaced only if it is an encoding."""
    if not path.is_dir():
        part.replace(path)
        return
    if not _is_ours(path):
        raise OutputError(
            f"'{path}' is a folder that holds no saved encoding; it is not replaced. "
            "Choose another name"
        )
    old = path.with_name(f".{path.stem}-{uuid4().hex}{PART}")
    path.rename(old)
    part.rename(path)
    shutil.rmtree(old)


def _is_ours(folder: Path) -> bool:
    try:
        about = json.loads((folder / _METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and _ENTRY in about.get("attributes", {})


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


LOSS = 1e-3
"""Largest error of a map, as a fraction of its range."""

_DIRECTIONS = 64
"""Number of random directions whose maps are compared."""


def to_half(tokens: NDArray[np.float32]) -> tuple[NDArray[np.float16], int] | None:
    """Return a token map in half precision and its exponent; None if too much would be lost.

    Contributions to a cosine are small, and half precision loses digits below 6e-5. So values are
    scaled first, by a power of two, which is exact, until the largest is near 2**14.

    Parameters
    ----------
    tokens : float32 (y, x, d_embed)

    Returns
    -------
    half : float16 (y, x, d_embed)
        The tokens times ``2 ** exponent``.
    exponent : int
    """
    largest = float(np.abs(tokens).max(initial=0))
    exponent = 14 - int(np.frexp(largest)[1]) if largest else 0
    half = np.ldexp(tokens, exponent).astype(np.float16)
    return (half, exponent) if _loss(tokens, from_half(half, exponent)) < LOSS else None


def from_half(half: NDArray[Any], exponent: int) -> NDArray[np.float32]:
    """Return the token map, float32."""
    tokens: NDArray[np.float32] = np.ldexp(half.astype(np.float32), -exponent)
    return tokens


def _loss(tokens: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Return the largest error of any map, as a fraction of its own range."""
    generator = np.random.default_rng(0)
    directions = generator.standard_normal((tokens.shape[-1], _DIRECTIONS)).astype(np.float32)
    true, error = tokens @ directions, (tokens - stored) @ directions
    spread = np.ptp(true, axis=(0, 1))
    largest = np.abs(error).max(axis=(0, 1))
    if not spread.all():
        return 0.0 if not largest.any() else float("inf")
    return float((largest / spread).max())
