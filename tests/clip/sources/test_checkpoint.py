from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import nn

from napari_clip_heatmap.clip.sources.checkpoint import (
    find_weights,
    read_torchscript,
    read_weights,
)
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
    with pytest.raises(ModelLoadError, match="not an intact safetensors"):
        read_weights(path)
    path.write_bytes((2**60).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(ModelLoadError, match="not an intact safetensors"):
        read_weights(path)


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "w.pt")
    with pytest.raises(ModelLoadError, match="something other than plain tensors: a"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize("odd", [torch.eye(2).to_sparse(), torch.empty(9, device="meta")])
def test_tensors_of_other_kinds_are_refused(tmp_path: Path, odd: torch.Tensor) -> None:
    torch.save({"a": odd}, tmp_path / "w.pt")
    with pytest.raises(ModelLoadError, match="something other than plain tensors: a"):
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


# TorchScript archives, and zip files that are not what they claim.


class Parts(nn.Module):
    """Weights at several depths and of several types, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4).half())
        self.scale = nn.Parameter(torch.tensor(2.5))
        self.register_buffer("size", torch.tensor(224))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block[0](x) * self.scale


@pytest.fixture
def script(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    module = torch.jit.trace(Parts().eval(), torch.ones(1, 3))
    module.save(str(tmp_path / "model.pt"))
    return tmp_path / "model.pt", module.state_dict()


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], **options: Any) -> Path:
    """Copy a zip archive with its members changed, or left out."""
    copy = path.with_name(f"changed_{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", **options) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return copy


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_tensors_are_those_of_torch(script: tuple[Path, dict[str, Any]]) -> None:
    path, expected = script
    read = read_weights(path)
    assert read.keys() == expected.keys()
    for name, tensor in expected.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_its_program_is_not_even_looked_at(script: tuple[Path, dict[str, Any]]) -> None:
    path, expected = script
    broken = rewritten(path, lambda name, old: b"import os\x00" if "/code/" in name else old)
    assert read_weights(broken).keys() == expected.keys()


@pytest.mark.parametrize("call", ["os.system", "builtins.eval", "torch.load", "torch.hub.load"])
@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_code_in_its_object_graph_is_refused(
    script: tuple[Path, dict[str, Any]], call: str
) -> None:
    module, _, name = call.rpartition(".")
    graph = f"c{module}\n{name}\n(Vtouch executed\ntR.".encode()
    path = rewritten(script[0], lambda each, old: graph if each.endswith("/data.pkl") else old)
    with pytest.raises(ModelLoadError, match=rf"nothing in it was executed.*{call}"):
        read_weights(path)


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_damaged_graphs_and_storages_are_refused(script: tuple[Path, dict[str, Any]]) -> None:
    path = script[0]
    for change in (
        lambda name, old: old[: len(old) // 2] if name.endswith("/data.pkl") else old,
        lambda name, old: b"" if name.endswith("/data.pkl") else old,
        lambda name, old: pickle.dumps({"a": 3}) if name.endswith("/data.pkl") else old,
        lambda name, old: old[:-1] if name.endswith("/data/0") else old,
        lambda name, old: None if name.endswith("/data/0") else old,
        lambda name, old: None if name.endswith("/data.pkl") else old,
    ):
        with pytest.raises(ModelLoadError, match=r"model\.pt"):
            read_weights(rewritten(path, change))


def test_an_archive_that_inflates_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\x80\x02}.")
        archive.writestr("bomb/data/0", bytes(10_000_000))
    assert path.stat().st_size < 20_000
    with pytest.raises(ModelLoadError, match=r"unpacks to 1000\d+; .*never compressed"):
        read_weights(path)


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt", "a") as archive:
        big = next(each for each in archive.infolist() if each.filename.endswith("/data/0"))
        for number in range(50):  # fifty names for the same bytes
            twin = zipfile.ZipInfo(f"w/data/{number + 1}")
            for field in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, field, getattr(big, field))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
        archive._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(ModelLoadError, match="unpacks to"):
        read_weights(tmp_path / "w.pt")


def test_only_archives_are_read_here(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"nothing")
    with pytest.raises(ModelLoadError, match=r"w\.pt is not an intact TorchScript archive"):
        read_torchscript(tmp_path / "w.pt")
