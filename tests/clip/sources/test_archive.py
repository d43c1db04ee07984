"""TorchScript archives and zip files that are not what they claim."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from napari_clip_heatmap.clip.sources.checkpoint import read_torchscript, read_weights
from napari_clip_heatmap.errors import ModelLoadError


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


pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit")


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], **options: Any) -> Path:
    """Copy a zip archive with its members changed, or left out."""
    copy = path.with_name(f"changed_{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", **options) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return copy


def test_tensors_are_those_of_torch(script: tuple[Path, dict[str, Any]]) -> None:
    path, expected = script
    read = read_weights(path)
    assert read.keys() == expected.keys()
    for name, tensor in expected.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_its_program_is_not_even_looked_at(script: tuple[Path, dict[str, Any]]) -> None:
    path, expected = script
    broken = rewritten(path, lambda name, old: b"import os\x00" if "/code/" in name else old)
    assert read_weights(broken).keys() == expected.keys()


@pytest.mark.parametrize("call", ["os.system", "builtins.eval", "torch.load", "torch.hub.load"])
def test_code_in_its_object_graph_is_refused(
    script: tuple[Path, dict[str, Any]], call: str
) -> None:
    module, _, name = call.rpartition(".")
    graph = f"c{module}\n{name}\n(Vtouch executed\ntR.".encode()
    path = rewritten(script[0], lambda each, old: graph if each.endswith("/data.pkl") else old)
    with pytest.raises(ModelLoadError, match=rf"nothing in it was executed.*{call}"):
        read_weights(path)


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
    with pytest.raises(ModelLoadError, match=r"w\.pt is no intact TorchScript archive"):
        read_torchscript(tmp_path / "w.pt")
