"""Before a run the viewer downloads missing files; through the real path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_clip_heatmap._napari.job.model_download import download_missing
from napari_clip_heatmap.clip.sources.resolve import needs_download
from napari_clip_heatmap.errors import Cancelled, ModelLoadError

NAME = "hf-hub:someone/tiny"


@pytest.fixture(autouse=True)
def _served(hub: Any, tiny_folder: Path) -> None:
    hub.add("someone/tiny", tiny_folder)


def test_only_missing_files_are_downloaded(hub: Any, tiny_folder: Path) -> None:
    *_, last = download_missing(NAME, lambda: False)
    size = (tiny_folder / "open_clip_model.safetensors").stat().st_size
    assert (last.here, last.total) == (size, size)
    before = len(hub.requests)
    assert not list(download_missing(NAME, lambda: False))
    assert not list(download_missing("demo", lambda: False))
    assert len(hub.requests) == before


def test_a_cancelled_download_is_still_missing(hub: Any) -> None:
    with pytest.raises(Cancelled):
        list(download_missing(NAME, lambda: True))
    assert needs_download(NAME)


def test_a_failure_says_what_to_do(hub: Any) -> None:
    hub.status = 503
    with pytest.raises(ModelLoadError, match=r"HTTP 503.*by hand"):
        list(download_missing(NAME, lambda: False))
