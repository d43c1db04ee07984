from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from napari_clip_heatmap.clip.sources.checkpoint import find_weights, read_weights
from napari_clip_heatmap.errors import ModelLoadError

WEIGHTS = {"a": torch.arange(3.0), "b.c": torch.ones(2, 2)}
_BUFFER = io.BytesIO()
torch.save(WEIGHTS, _BUFFER)
INTACT = {"bin": _BUFFER.getvalue(), "st": save(WEIGHTS)}


@pytest.mark.parametrize("name", ["w.safetensors", "w.bin", "w.pth"])
def test_tensors_come_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path)
    read = read_weights(path)
    assert read.keys() == WEIGHTS.keys()
    assert all(torch.equal(read[key], WEIGHTS[key]) for key in WEIGHTS)


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", None])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "model.", "module.clip.", ""])
def test_wrappers_of_training_scripts_are_taken_off(
    tmp_path: Path, wrapper: str | None, prefix: str
) -> None:
    wrapped: object = {f"{prefix}{key}": value for key, value in WEIGHTS.items()}
    torch.save({"epoch": 3, wrapper: wrapped} if wrapper else wrapped, tmp_path / "w.pt")
    assert read_weights(tmp_path / "w.pt").keys() == WEIGHTS.keys()


class Bomb:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["torch", "torch, old format", "plain pickle"])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, how: str) -> None:
    path, target = tmp_path / "w.bin", tmp_path / "executed"
    content = {**WEIGHTS, "x": Bomb(target)}
    if how == "plain pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(ModelLoadError, match="nothing in it was executed"):
        read_weights(path)
    assert not target.exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.bin"])
@pytest.mark.parametrize("damage", ["cut short", "empty", "noise"])
def test_damaged_files_are_refused(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path)
    whole = path.read_bytes()
    path.write_bytes(
        {"cut short": whole[: len(whole) // 2], "empty": b"", "noise": b"\x93noise" * 99}[damage]
    )
    with pytest.raises(ModelLoadError, match=name):
        read_weights(path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of odd pickles
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8), st.sampled_from(["bin", "st"]))
@settings(max_examples=60)
def test_whatever_is_overwritten_it_is_read_or_refused(place: int, noise: bytes, kind: str) -> None:
    content = bytearray(INTACT[kind])
    place %= len(content)
    content[place : place + len(noise)] = noise
    with TemporaryDirectory() as folder:
        path = Path(folder, "w.safetensors" if kind == "st" else "w.bin")
        path.write_bytes(content)
        try:
            read = read_weights(path)
        except ModelLoadError:
            return
        assert all(isinstance(each, torch.Tensor) for each in read.values())


def test_a_zip_that_claims_to_lie_on_several_disks_is_refused(tmp_path: Path) -> None:
    content = bytearray(INTACT["bin"])
    locator = content.rindex(b"PK\x06\x07")  # of the zip64 end record; Python's check stumbles
    content[locator + 16] = 2
    path = tmp_path / "w.bin"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"w\.bin"):
        read_weights(path)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 10**12]}},
        {"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 16]}},
        {"a": {"dtype": "code", "shape": [4], "data_offsets": [0, 16]}},
    ],
)
def test_safetensors_whose_header_lies_are_refused(
    tmp_path: Path, header: dict[str, object]
) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(ModelLoadError, match="no intact safetensors"):
        read_weights(path)
    path.write_bytes((2**60).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(ModelLoadError, match="no intact safetensors"):
        read_weights(path)


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "w.pt")
    with pytest.raises(ModelLoadError, match="something else than plain tensors: a"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize("odd", [torch.eye(2).to_sparse(), torch.empty(9, device="meta")])
def test_tensors_of_other_kinds_are_refused(tmp_path: Path, odd: torch.Tensor) -> None:
    torch.save({"a": odd}, tmp_path / "w.pt")
    with pytest.raises(ModelLoadError, match="something else than plain tensors: a"):
        read_weights(tmp_path / "w.pt")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"no file of weights .*w\.pt"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [{}, [1, 2], {"a": 3}, {"state_dict": {}}])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ModelLoadError, match="tensors"):
        read_weights(tmp_path / "w.pt")


def test_safetensors_come_first_and_known_names_before_others(tmp_path: Path) -> None:
    for name in ("zz.bin", "pytorch_model.bin", "other.safetensors"):
        (tmp_path / name).touch()
    assert find_weights(tmp_path).name == "pytorch_model.bin"
    (tmp_path / "open_clip_model.safetensors").touch()
    assert find_weights(tmp_path).name == "open_clip_model.safetensors"


def test_no_weights_or_too_many(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"open_clip_model\.safetensors"):
        find_weights(tmp_path)
    (tmp_path / "one.pt").touch()
    assert find_weights(tmp_path).name == "one.pt"
    (tmp_path / "two.pt").touch()
    with pytest.raises(ModelLoadError, match=r"one\.pt, two\.pt"):
        find_weights(tmp_path)
