"""``clip-heatmap download`` with the environment that the hub's own client reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import close_session, constants
from typer.testing import CliRunner

from napari_clip_heatmap import cli
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.sources import resolve as prefetching
from napari_clip_heatmap.clip.sources.resolve import download_named_model
from napari_clip_heatmap.errors import ModelLoadError

NAME = "hf-hub:someone/tiny"


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "from napari_clip_heatmap.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_prefetched_for_a_machine_without_network(
    hub: Any, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("someone/tiny", tiny_folder)
    home = tmp_path / "home"
    done = run("download", NAME, HF_ENDPOINT=hub.url, HF_HOME=str(home), NO_PROXY="127.0.0.1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{NAME} is on this machine: {home}")
    assert done.stderr == ""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    assert load_model(NAME, device="cpu").encode_text(["cell"]).shape == (1, 24)


@pytest.mark.parametrize("name", ["demo", "local-dir:x", "ViT-B-16/openai@w.pt"])
def test_what_is_here_needs_no_download(name: str) -> None:
    with pytest.raises(ModelLoadError, match="nothing to download"):
        download_named_model(name)


def test_mistakes_are_reported_in_one_line(hub: Any) -> None:
    for name, word in (("hf-hub:a/b", "no such repository"), ("ViT-B-16/x", "no tag 'x'")):
        done = CliRunner().invoke(cli.app, ["download", name])
        assert done.exit_code == 2
        assert word in done.stderr
        assert done.stderr.count("\n") == 1


def test_stopped_it_says_that_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(name: str, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prefetching, "download_named_model", stop)
    done = CliRunner().invoke(cli.app, ["download", NAME])
    assert done.exit_code == 130
    assert "what has come is kept" in done.output


def test_models_are_listed(hub: Any, tiny_folder: Path) -> None:
    done = CliRunner().invoke(cli.app, ["models", "histopathology"])
    assert done.exit_code == 0
    assert "hf-hub:wisdomik/QuiltNet-B-32" in done.stdout
    assert "demo" not in done.stdout
    here = CliRunner().invoke(cli.app, ["models", "--here"])
    assert "demo" in here.stdout
    assert "QuiltNet" not in here.stdout
