from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from training.average import average_models

import napari_clip_heatmap as nch

DEMO = Path(nch.__file__).parent / "demo"
WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture
def after(tmp_path: Path) -> Path:
    """What training might make of the bundled model."""
    folder = tmp_path / "after"
    folder.mkdir()
    for name in ("open_clip_config.json", "vocabulary.txt"):
        (folder / name).write_bytes((DEMO / name).read_bytes())
    weights = load_file(DEMO / WEIGHTS)
    name = "visual.proj"
    save_file(weights | {name: weights[name] + 1}, folder / WEIGHTS)
    return folder


def test_weights_lie_between_and_the_rest_is_kept(after: Path, tmp_path: Path) -> None:
    average_models(DEMO, after, 0.25, tmp_path / "mean")
    before, made = load_file(DEMO / WEIGHTS), load_file(tmp_path / "mean" / WEIGHTS)
    assert made.keys() == before.keys()
    for name, each in made.items():
        expected = before[name] + 0.25 if name == "visual.proj" else before[name]
        torch.testing.assert_close(each, expected, atol=1e-3, rtol=1e-3)
    model = nch.load_model(f"local-dir:{tmp_path / 'mean'}", device="cpu")
    assert model.text.unknown_words("nuclei wug") == ("wug",)


@pytest.mark.parametrize("part", [0.0, 1.0])
def test_the_ends_are_the_models_themselves(after: Path, tmp_path: Path, part: float) -> None:
    average_models(DEMO, after, part, tmp_path / "mean")
    expected = load_file((after if part else DEMO) / WEIGHTS)
    for name, each in load_file(tmp_path / "mean" / WEIGHTS).items():
        torch.testing.assert_close(each, expected[name], rtol=0, atol=0)


def test_models_that_do_not_belong_together_are_refused(after: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="accepted: 0"):
        average_models(DEMO, after, 1.5, tmp_path / "mean")
    (after / "vocabulary.txt").write_text("nuclei\n")
    with pytest.raises(ValueError, match="another vocabulary"):
        average_models(DEMO, after, 0.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
