from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from napari_clip_heatmap._napari import startup as module
from napari_clip_heatmap._napari.startup import without_triton

WINDOW_THEN_MODEL = """
import napari
from qtpy.QtWidgets import QApplication
from napari_clip_heatmap._napari.startup import without_triton
viewer = napari.Viewer()
for _ in range(20):
    QApplication.processEvents()
with without_triton():
    import napari_clip_heatmap.clip.loading
print("alive")
viewer.close()
"""


@pytest.fixture
def memory_map(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.setattr(module, "MEMORY_MAP", tmp_path / "maps")
    return tmp_path / "maps"


def test_beside_mesas_llvm_triton_is_not_found(memory_map):
    memory_map.write_text("7f00-7f01 r-xp 0 0 /usr/lib/libLLVM-15.so.1\n")
    with pytest.raises(ModuleNotFoundError), without_triton():
        import triton  # noqa: F401
    assert "triton" not in sys.modules


@pytest.mark.parametrize("lines", [None, "7f00-7f01 r-xp 0 0 /usr/lib/libc.so.6\n"])
def test_elsewhere_nothing_changes(memory_map, lines):
    if lines:
        memory_map.write_text(lines)
    with without_triton():
        assert "triton" not in sys.modules


def test_a_triton_that_is_loaded_stays(memory_map, monkeypatch):
    memory_map.write_text("libLLVM")
    monkeypatch.setitem(sys.modules, "triton", pytest)
    with without_triton():
        assert sys.modules["triton"] is pytest
    assert sys.modules["triton"] is pytest


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
@pytest.mark.usefixtures("qapp")
def test_open_clip_can_be_imported_beside_a_window():
    done = subprocess.run(
        [sys.executable, "-c", WINDOW_THEN_MODEL],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "alive" in done.stdout, done.stderr
    assert done.returncode == 0
