from __future__ import annotations

import sys

import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.torch_import import torch_import_errors
from napari_clip_heatmap.errors import ModelLoadError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError("[WinError 1114] A DLL initialization routine failed. Error loading c10.dll"),
            ("WinError 1114", "Qt may have loaded", "vc_redist.x64.exe", "import torch, napari"),
        ),
        (ImportError("libcudart.so.13: cannot open"), ("libcudart", "pip install", "torch")),
        (OSError("Input/output error"), ("Input/output error", "pip install")),
    ],
)
def test_why_it_cannot_be_loaded_and_what_to_do(error: Exception, words: tuple[str, ...]) -> None:
    with pytest.raises(ModelLoadError) as caught, torch_import_errors():
        raise error
    assert all(word in str(caught.value) for word in words)
    assert caught.value.__cause__ is error


def test_other_errors_are_not_touched() -> None:
    with pytest.raises(ValueError, match="mine"), torch_import_errors():
        raise ValueError("mine")


def test_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "napari_clip_heatmap.clip.loading", None)
    with pytest.raises(ModelLoadError, match="PyTorch and open_clip cannot be imported"):
        nch.load_model("demo")
