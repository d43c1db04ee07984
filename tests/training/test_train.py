"""The one command gives a model that the package loads, and goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from training.stage import Settings

import napari_clip_heatmap as nch
from training import train


@pytest.mark.usefixtures("muon")
def test_a_tiny_run_ends_in_a_model_and_is_not_done_twice(
    micrographs: Path, tmp_path: Path
) -> None:
    settings = Settings(
        tmp_path,
        seed=0,
        teacher_steps=2,
        teacher_pixels=12_000,
        student_steps=2,
        student_views=4,
        processes=1,
        workers=0,
        device="cpu",
        port=29587,
        language_steps=3,
        tuning_steps=1,
        real=micrographs,
        fold="0/3",
        figures_every=1,
        figures_scenes=1,
        figures_most=1,
    )
    train.run_process(0, settings)
    model = nch.load_model(f"local-dir:{tmp_path / 'model'}")
    assert model.encode_text(["nuclei", "yeast"]).shape == (2, 128)
    assert "saccharomyces" in (tmp_path / "model" / "vocabulary.txt").read_text().split()
    lines = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [("student", 2), ("tuning", 1)]
    assert 0 <= lines[0]["drawn all pixels"] <= 1
    assert 0 <= lines[0]["named right"] <= 1
    first = torch.load(tmp_path / "student.pt", weights_only=True)
    weights = (tmp_path / "model" / "open_clip_model.safetensors").read_bytes()
    train.run_process(0, settings)
    again = torch.load(tmp_path / "student.pt", weights_only=True)
    assert first["step"] == again["step"] == 2
    assert (tmp_path / "model" / "open_clip_model.safetensors").read_bytes() == weights
