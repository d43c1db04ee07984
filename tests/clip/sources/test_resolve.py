"""Which loader a name leads to; the loaders themselves are tested in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_clip_heatmap.clip.sources import resolve
from napari_clip_heatmap.clip.sources.resolve import (
    download_named_model,
    load_named_model,
    needs_download,
)
from napari_clip_heatmap.errors import ModelLoadError


@pytest.fixture
def loaders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loader returns its own name and what it was given."""
    for name in ("load_folder", "load_file", "load_hub", "load_tag"):

        def load(*given: Any, name: str = name, **options: Any) -> Any:
            return (name, *(each for each in given if each is not None), *options.values())

        monkeypatch.setattr(resolve, name, load)


@pytest.mark.usefixtures("loaders")
def test_names_lead_to_their_loaders(tmp_path: Path) -> None:
    weights, odd = tmp_path / "w.bin", tmp_path / "me@lab.pt"
    weights.touch()
    odd.touch()
    home = Path("~/w.pt").expanduser()
    assert load_named_model("demo")[0::2] == ("load_folder", "demo")
    assert load_named_model("hf-hub:a/b") == ("load_hub", "hf-hub:a/b")
    assert load_named_model("ViT-B-32/openai") == ("load_tag", "ViT-B-32/openai")
    for name, expected in {
        f"local-dir:{tmp_path}": ("load_folder", tmp_path),
        f"local-dir:{weights}": ("load_file", weights),
        str(weights): ("load_file", weights),
        str(odd): ("load_file", odd),
        "~/w.pt": ("load_file", home),
    }.items():
        assert load_named_model(name) == (*expected, name)
    for released in ("ViT-B-32/openai", "ViT-B-32"):
        name = f"{released}@{weights}"
        assert load_named_model(name) == ("load_file", weights, name, released)
        assert load_named_model(f"{released}@~/w.pt")[1] == home


@pytest.mark.parametrize(
    "name", ["demo", "local-dir:x", "w.safetensors", "ViT-B-16/openai@w.pt", "ViT-B-16@w.pt"]
)
def test_local_files_need_no_download(name: str) -> None:
    assert not needs_download(name)
    with pytest.raises(ModelLoadError, match="nothing to download"):
        download_named_model(name)


@pytest.mark.parametrize("name", ["", "no-such-model", "ViT-B-32/" + "x" * 9999, "a" * 9999])
def test_unknown_names_are_refused_briefly(name: str) -> None:
    for attempt in (load_named_model, needs_download, download_named_model):
        with pytest.raises(ModelLoadError) as caught:
            attempt(name)
        assert len(str(caught.value)) <= 500
