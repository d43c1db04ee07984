from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from napari_clip_heatmap._napari.startup import ALWAYS, available_devices


@pytest.mark.parametrize(
    ("cards", "mps", "expected"),
    [
        (0, False, ("auto", "cpu")),
        (2, False, ("auto", "cuda:0", "cuda:1", "cpu")),
        (0, True, ("auto", "mps", "cpu")),
    ],
)
def test_lists_what_torch_sees(monkeypatch, cards, mps, expected):
    torch = SimpleNamespace(
        cuda=SimpleNamespace(device_count=lambda: cards),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert available_devices() == expected


def test_without_torch_lists_what_is_always_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert available_devices() == ALWAYS
