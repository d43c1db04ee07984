from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest

from napari_clip_heatmap.user_folders import cache_root


def test_it_is_in_the_users_cache_folder() -> None:
    root = cache_root()
    assert root.is_absolute()
    assert root.is_relative_to(platformdirs.user_cache_path())
    assert "clip-heatmap" in root.parts


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME is Linux's")
def test_the_environment_can_move_it_and_nothing_is_created(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "clip-heatmap"
    assert not cache_root().exists()
