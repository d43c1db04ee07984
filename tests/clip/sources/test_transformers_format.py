"""CLIP folders of the transformers library, whose layout is written down here a second time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.errors import ClipHeatmapError, ModelLoadError, UnsupportedModelError


@pytest.fixture
def folder(transformers_folder: Path) -> Path:
    """A folder of the test's own."""
    return transformers_folder


def load(folder: Path, **options: Any) -> ClipModel:
    return load_model(f"local-dir:{folder}", device="cpu", **options)


def change(path: Path, **entries: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_it_gives_the_same_numbers(folder: Path, tiny_model: ClipModel, batch: Tensor) -> None:
    model = load(folder)
    assert (model.mean, model.std) == ((0.4, 0.5, 0.6), (0.1, 0.2, 0.3))
    assert model.weights_sha256 == tiny_model.weights_sha256
    assert torch.equal(model.token_map(batch).tokens, tiny_model.token_map(batch).tokens)
    assert torch.equal(model.encode_text(["cell"]), tiny_model.encode_text(["cell"]))


def test_pickled_tensors_and_bare_files_too(
    folder: Path, tiny_model: ClipModel, listed: str
) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert load(folder).weights_sha256 == tiny_model.weights_sha256
    bare = load_model(f"{listed}@{folder / 'pytorch_model.bin'}", device="cpu")
    assert bare.weights_sha256 == tiny_model.weights_sha256


def test_the_activation_is_the_one_it_names(
    folder: Path, make_clip: Callable[..., Any], batch: Tensor
) -> None:
    for part in ("text_config", "vision_config"):  # the default, which transformers leaves out
        entries = json.loads((folder / "config.json").read_text())[part]
        del entries["hidden_act"]
        change(folder / "config.json", **{part: entries})
    with torch.no_grad():
        expected = make_clip(quick_gelu=True).encode_image(batch)
    torch.testing.assert_close(load(folder).token_map(batch).representation, expected)


def test_preprocessing_is_requested_not_guessed(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelLoadError, match=r"preprocessor_config\.json does not contain"):
        load(folder)
    assert load(folder, preprocess="imagenet").mean == (0.485, 0.456, 0.406)


def test_pixels_that_are_not_normalized(folder: Path) -> None:
    change(folder / "preprocessor_config.json", do_normalize=False)
    model = load(folder)
    assert (model.mean, model.std) == ((0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    ("file", "entries", "error", "message"),
    [
        ("config.json", {"model_type": "altclip"}, UnsupportedModelError, "'altclip'"),
        ("config.json", {"projection_dim": "x"}, ModelLoadError, "does not describe a CLIP"),
        ("config.json", {"vision_config": 3}, ModelLoadError, "does not describe a CLIP"),
        ("config.json", {"text_config": {"hidden_act": "relu"}}, UnsupportedModelError, "'relu'"),
        (
            "config.json",
            {"vision_config": {"hidden_size": 0}},
            ModelLoadError,
            "'vision_config.hidden_size' is 0",
        ),
        ("config.json", {"projection_dim": 99}, ModelLoadError, "do not fit"),
        (
            "config.json",
            {"vision_config_dict": {"hidden_act": "quick_gelu"}},
            UnsupportedModelError,
            "different activations",
        ),
        ("preprocessor_config.json", {"image_mean": [0.5]}, ModelLoadError, "three numbers"),
        ("preprocessor_config.json", {"rescale_factor": 1}, UnsupportedModelError, "by 1 rather"),
        ("preprocessor_config.json", {"do_rescale": False}, UnsupportedModelError, "rather than"),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, file: str, entries: dict[str, Any], error: type[ClipHeatmapError], message: str
) -> None:
    change(folder / file, **entries)
    with pytest.raises(error, match=message):
        load(folder)


def test_weights_that_lack_a_part(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["vision_model.encoder.layers.1.self_attn.k_proj.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"resblocks\.1\.attn\.in_proj_weight"):
        load(folder)


def test_clip_s_own_vocabulary_needs_no_other_library(folder: Path, tiny_model: ClipModel) -> None:
    vocabulary = dict(SimpleTokenizer().encoder)
    start, end = list(vocabulary)[-2:]
    vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"] = (
        vocabulary.pop(start),
        vocabulary.pop(end),
    )
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    assert torch.equal(load(folder).encode_text(["cell"]), tiny_model.encode_text(["cell"]))
    (folder / "vocab.json").rename(folder / "tokenizer.json")
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    assert torch.equal(load(folder).encode_text(["cell"]), tiny_model.encode_text(["cell"]))


def test_another_vocabulary_is_not_read_as_clip_s(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "vocab.json").write_text(json.dumps({"cell": 0}))
    requested: list[str] = []

    def tokenizer(name: str, **options: Any) -> Callable[[list[str]], Tensor]:
        requested.append(name)
        return lambda texts: torch.zeros(len(texts), 16, dtype=torch.long)

    monkeypatch.setattr("napari_clip_heatmap.clip.text.HFTokenizer", tokenizer)
    load(folder).encode_text(["cell"])
    assert requested == [str(folder)]
