from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

WINDOW_THEN_MODEL = """
import napari
from qtpy.QtWidgets import QApplication
import napari_clip_heatmap as nch
viewer = napari.Viewer()
for _ in range(20):
    QApplication.processEvents()
print(nch.load_model("demo"))
viewer.close()
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
@pytest.mark.usefixtures("qapp")
def test_a_model_can_be_loaded_beside_a_window():
    """Mesa has drawn the window by its LLVM; triton's would call into that one, and crash."""
    done = subprocess.run(
        [sys.executable, "-c", WINDOW_THEN_MODEL],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "ClipModel('demo'" in done.stdout, done.stderr
    assert done.returncode == 0
