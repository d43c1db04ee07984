from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from napari_clip_heatmap.cli import app
from napari_clip_heatmap.pipeline.explanation import head_words


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(head_words, "data_root", lambda: tmp_path / "user")
    random = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        pixels = random.integers(0, 256, (40, 70, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    words = "\n".join(["nuclei", "", "filaments", *(f"word {n}" for n in range(9))])
    (tmp_path / "words.txt").write_text(words, encoding="utf-8")
    return tmp_path


def test_heads_are_described_and_kept(given: Path, model: str) -> None:
    asked = ("heads", model, "--images", given / "images", "--words", given / "words.txt")
    result = cli(*asked, "--count", 2)
    assert result.exit_code == 0, result.output
    assert "11 words" in result.stdout
    (path,) = (given / "user" / "heads").iterdir()
    assert str(path) in result.stdout.replace("\n", "")
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert [row["head"] for row in stored["heads"][:2]] == ["L0H0", "L0H1"]
    assert all(len(row["words"]) == 2 for row in stored["heads"])
    assert all(0 < row["explained"][0] <= row["explained"][1] <= 1 for row in stored["heads"])
    result = cli(*asked, "--json", "-o", given / "there.json")
    told = json.loads(result.stdout)
    assert told["path"] == str(given / "there.json")
    assert len(told["heads"]) == 8
    assert len(told["heads"][0]["words"]) == 5


def test_what_is_missing_is_said_in_one_line(given: Path, model: str) -> None:
    empty = given / "empty.txt"
    empty.write_text("\n", encoding="utf-8")
    result = cli("heads", model, "--images", given / "images", "--words", empty)
    assert result.exit_code == 2
    assert "0 words were given" in result.stderr
    broken = given / "latin.txt"
    broken.write_bytes(b"Zellw\xe4nde\n")
    result = cli("heads", model, "--images", given / "images", "--words", broken)
    assert result.exit_code == 2
    assert "UTF-8" in result.stderr
