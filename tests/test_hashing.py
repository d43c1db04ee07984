"""Hashes equal those of the standard library and of git."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.hashing import (
    hash_arrays,
    hash_bytes,
    hash_file,
    hash_git_blob,
    hash_json,
)


@given(st.lists(st.binary()))
def test_pieces_are_hashed_one_after_another(pieces: list[bytes]) -> None:
    assert hash_bytes(pieces) == hashlib.sha256(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.bool_, ">u2", np.complex64])
def test_arrays_are_hashed_by_their_values_in_c_order(dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 2, (4, 6)).astype(dtype)
    expected = hashlib.sha256(array.tobytes()).hexdigest()
    assert hash_arrays([array]) == hash_arrays([np.asfortranarray(array)]) == expected
    assert hash_arrays([array[:2], array[2:]]) == expected
    assert hash_arrays([array.T]) != expected


def test_a_mask_counts_and_objects_do_not() -> None:
    array = np.arange(6)
    masks = [np.ma.array(array, mask=array == number) for number in (1, 2)]
    assert hash_arrays([masks[0]]) != hash_arrays([masks[1]])
    assert hash_arrays([np.array([None])]) == hash_arrays([]) == hash_bytes([])


def test_the_order_of_keys_does_not_count() -> None:
    assert hash_json({"a": 1, "b": [2]}) == hash_json({"b": [2], "a": 1}) != hash_json({"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        hash_json(float("nan"))


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_files(tmp_path: Path, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    assert hash_file(path) == hashlib.sha256(content[:size]).hexdigest()
    expected = hashlib.sha1(b"blob %d\0" % size + content[:size]).hexdigest()
    assert hash_git_blob(path) == expected


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_agrees(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"{}\n")
    done = subprocess.run(
        ["git", "hash-object", "--no-filters", path], capture_output=True, text=True, check=True
    )
    assert hash_git_blob(path) == done.stdout.strip()
