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

CONFIG = {
    "model_type": "clip",
    "architectures": ["CLIPModel"],
    "projection_dim": 24,
    "text_config": {
        "hidden_size": 16,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 16,
        "hidden_act": "gelu",
    },
    "vision_config": {
        "hidden_size": 32,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
        "hidden_act": "gelu",
    },
}
PIXELS = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.1, 0.2, 0.3], "rescale_factor": 1 / 255}


def their_weights(clip: Any) -> dict[str, Tensor]:
    """The tensors of an open_clip model where transformers keeps them."""
    ours = clip.state_dict()
    theirs = {
        "logit_scale": ours["logit_scale"],
        "text_projection.weight": ours["text_projection"].T,
        "visual_projection.weight": ours["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": ours["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": ours["positional_embedding"],
        "text_model.embeddings.position_ids": torch.arange(16)[None],
        "vision_model.embeddings.class_embedding": ours["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": ours["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": ours["visual.positional_embedding"],
    }
    for kind in ("weight", "bias"):
        theirs[f"text_model.final_layer_norm.{kind}"] = ours[f"ln_final.{kind}"]
        theirs[f"vision_model.pre_layrnorm.{kind}"] = ours[f"visual.ln_pre.{kind}"]
        theirs[f"vision_model.post_layernorm.{kind}"] = ours[f"visual.ln_post.{kind}"]
        for tower, home, layers in (("text", "", 2), ("vision", "visual.", 3)):
            for layer in range(layers):
                new = f"{tower}_model.encoder.layers.{layer}"
                old = f"{home}transformer.resblocks.{layer}"
                parts = ours[f"{old}.attn.in_proj_{kind}"].chunk(3)
                for letter, part in zip("qkv", parts, strict=True):
                    theirs[f"{new}.self_attn.{letter}_proj.{kind}"] = part
                theirs[f"{new}.self_attn.out_proj.{kind}"] = ours[f"{old}.attn.out_proj.{kind}"]
                theirs[f"{new}.layer_norm1.{kind}"] = ours[f"{old}.ln_1.{kind}"]
                theirs[f"{new}.layer_norm2.{kind}"] = ours[f"{old}.ln_2.{kind}"]
                theirs[f"{new}.mlp.fc1.{kind}"] = ours[f"{old}.mlp.c_fc.{kind}"]
                theirs[f"{new}.mlp.fc2.{kind}"] = ours[f"{old}.mlp.c_proj.{kind}"]
    return {name: tensor.contiguous().clone() for name, tensor in theirs.items()}


@pytest.fixture
def folder(tiny_clip: Any, tmp_path: Path) -> Path:
    save_file(their_weights(tiny_clip), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PIXELS))
    return tmp_path


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
        entries = {key: each for key, each in CONFIG[part].items() if key != "hidden_act"}  # type: ignore[attr-defined]
        change(folder / "config.json", **{part: entries})
    with torch.no_grad():
        expected = make_clip(quick_gelu=True).encode_image(batch)
    torch.testing.assert_close(load(folder).token_map(batch).representation, expected)


def test_preprocessing_is_asked_for_not_guessed(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelLoadError, match=r"preprocessor_config\.json does not say"):
        load(folder)
    assert load(folder, preprocess="imagenet").mean == (0.485, 0.456, 0.406)


def test_pixels_that_are_not_normalised(folder: Path) -> None:
    change(folder / "preprocessor_config.json", do_normalize=False)
    model = load(folder)
    assert (model.mean, model.std) == ((0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    ("file", "entries", "error", "message"),
    [
        ("config.json", {"model_type": "siglip"}, UnsupportedModelError, "'siglip'"),
        ("config.json", {"projection_dim": "x"}, ModelLoadError, "does not describe a CLIP"),
        ("config.json", {"vision_config": 3}, ModelLoadError, "does not describe a CLIP"),
        ("config.json", {"text_config": {"hidden_act": "relu"}}, UnsupportedModelError, "'relu'"),
        ("config.json", {"vision_config": {"hidden_size": 0}}, ModelLoadError, "sizes is 0"),
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
def test_what_does_not_fit_is_told(
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
    asked: list[str] = []

    def tokenizer(name: str, **options: Any) -> Callable[[list[str]], Tensor]:
        asked.append(name)
        return lambda texts: torch.zeros(len(texts), 16, dtype=torch.long)

    monkeypatch.setattr("napari_clip_heatmap.clip.tokenizers.HFTokenizer", tokenizer)
    load(folder).encode_text(["cell"])
    assert asked == [str(folder)]
