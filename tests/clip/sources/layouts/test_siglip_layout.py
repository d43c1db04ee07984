"""SigLIP folders of the transformers library, whose layout is written down here a second time.

Tensors bear the library's names and shapes and are random; `image_vector` and `text_vector` are the
models that they make, in plain torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.errors import ClipHeatmapError, ModelLoadError, UnsupportedModelError

PATCH, SIDE, HEADS, EPS = 8, 3, 4, 1e-6
D_TEXT, D_IMAGE, HIDDEN, CONTEXT, WORDS, LAYERS = 32, 48, 100, 12, 101, 2

TEXT = {
    "hidden_size": D_TEXT,
    "intermediate_size": HIDDEN,
    "max_position_embeddings": CONTEXT,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "projection_size": D_IMAGE,
    "vocab_size": WORDS,
}
VISION = {
    "hidden_size": D_IMAGE,
    "image_size": PATCH * SIDE,
    "intermediate_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "patch_size": PATCH,
}

Weights = dict[str, Tensor]


def linear(name: str, n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def tower(name: str, width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(LAYERS):
        home = f"{name}.encoder.layers.{number}"
        for part in "qkv":
            shapes |= linear(f"{home}.self_attn.{part}_proj", width, width)
        shapes |= linear(f"{home}.self_attn.out_proj", width, width)
        shapes |= norm(f"{home}.layer_norm1", width) | norm(f"{home}.layer_norm2", width)
        shapes |= linear(f"{home}.mlp.fc1", width, HIDDEN)
        shapes |= linear(f"{home}.mlp.fc2", HIDDEN, width)
    return shapes


def make_weights(naflex: bool) -> Weights:
    patches = (D_IMAGE, 3 * PATCH**2) if naflex else (D_IMAGE, 3, PATCH, PATCH)
    head = "vision_model.head"
    shapes = {
        "logit_scale": (1,),
        "logit_bias": (1,),
        "text_model.embeddings.token_embedding.weight": (WORDS, D_TEXT),
        "text_model.embeddings.position_embedding.weight": (CONTEXT, D_TEXT),
        "vision_model.embeddings.patch_embedding.weight": patches,
        "vision_model.embeddings.patch_embedding.bias": (D_IMAGE,),
        "vision_model.embeddings.position_embedding.weight": (SIDE**2, D_IMAGE),
        f"{head}.probe": (1, 1, D_IMAGE),
        f"{head}.attention.in_proj_weight": (3 * D_IMAGE, D_IMAGE),
        f"{head}.attention.in_proj_bias": (3 * D_IMAGE,),
        **tower("text_model", D_TEXT),
        **norm("text_model.final_layer_norm", D_TEXT),
        **linear("text_model.head", D_TEXT, D_IMAGE),
        **tower("vision_model", D_IMAGE),
        **norm("vision_model.post_layernorm", D_IMAGE),
        **linear(f"{head}.attention.out_proj", D_IMAGE, D_IMAGE),
        **norm(f"{head}.layernorm", D_IMAGE),
        **linear(f"{head}.mlp.fc1", D_IMAGE, HIDDEN),
        **linear(f"{head}.mlp.fc2", HIDDEN, D_IMAGE),
    }
    generator = torch.Generator().manual_seed(4)
    made = {}
    for name, shape in shapes.items():
        scale = torch.Size(shape[1:]).numel() ** -0.5 if len(shape) > 1 else 0.3
        made[name] = scale * torch.randn(shape, generator=generator)
        if len(shape) == 1 and name.endswith("weight"):
            made[name] += 1
    return made


def through(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Apply a linear map, or a LayerNorm, by its name."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return (
        F.layer_norm(x, weight.shape, weight, bias, EPS)
        if weight.ndim == 1
        else x @ weight.T + bias
    )


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    q, k, v = (rearrange(x, "b n (h d) -> b h n d", h=HEADS) for x in (query, key, value))
    rows = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
    return rearrange(rows @ v, "b h n d -> b n (h d)")


def mlp(weights: Weights, home: str, x: Tensor, activation: str) -> Tensor:
    inner = F.gelu(through(weights, f"{home}.mlp.fc1", x), approximate=activation)
    return through(weights, f"{home}.mlp.fc2", inner)


def blocks(weights: Weights, name: str, x: Tensor, activation: str) -> Tensor:
    for number in range(LAYERS):
        home = f"{name}.encoder.layers.{number}"
        normed = through(weights, f"{home}.layer_norm1", x)
        mixed = attention(
            *(through(weights, f"{home}.self_attn.{part}_proj", normed) for part in "qkv")
        )
        x = x + through(weights, f"{home}.self_attn.out_proj", mixed)
        x = x + mlp(weights, home, through(weights, f"{home}.layer_norm2", x), activation)
    return x


def image_vector(weights: Weights, pixels: Tensor, activation: str = "tanh") -> Tensor:
    home, head = "vision_model.embeddings", "vision_model.head"
    kernel = weights[f"{home}.patch_embedding.weight"]
    layout = "b c (y p) (x q) -> b (y x) (c p q)"
    if kernel.ndim == 2:  # NaFlex: the colors of a pixel side by side
        layout = "b c (y p) (x q) -> b (y x) (p q c)"
    cut = rearrange(pixels, layout, p=PATCH, q=PATCH)
    tokens = cut @ kernel.flatten(1).T + weights[f"{home}.patch_embedding.bias"]
    tokens = tokens + weights[f"{home}.position_embedding.weight"]
    tokens = blocks(weights, "vision_model", tokens, activation)
    tokens = through(weights, "vision_model.post_layernorm", tokens)
    asked = weights[f"{head}.probe"].expand(len(tokens), -1, -1)
    joint = weights[f"{head}.attention.in_proj_weight"].chunk(3)
    bias = weights[f"{head}.attention.in_proj_bias"].chunk(3)
    parts = (x @ w.T + b for x, w, b in zip((asked, tokens, tokens), joint, bias, strict=True))
    pooled = through(weights, f"{head}.attention.out_proj", attention(*parts))
    normed = through(weights, f"{head}.layernorm", pooled)
    return (pooled + mlp(weights, head, normed, activation))[:, 0]


def text_vector(weights: Weights, numbers: Tensor, activation: str = "tanh") -> Tensor:
    home = "text_model.embeddings"
    tokens = weights[f"{home}.token_embedding.weight"][numbers]
    tokens = tokens + weights[f"{home}.position_embedding.weight"]
    tokens = blocks(weights, "text_model", tokens, activation)
    last = through(weights, "text_model.final_layer_norm", tokens)[:, -1]
    return F.normalize(through(weights, "text_model.head", last), dim=-1)


def numbers(texts: list[str]) -> Tensor:
    """Stand for a tokenizer: other numbers for another text."""
    return torch.tensor([[(7 * i + len(text)) % WORDS for i in range(CONTEXT)] for text in texts])


@pytest.fixture(params=["siglip", "siglip2"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, kind: str) -> Path:
    own = {"num_patches": SIDE**2} if kind == "siglip2" else {}
    config = {"model_type": kind, "text_config": TEXT, "vision_config": VISION | own}
    (tmp_path / "config.json").write_text(json.dumps(config))
    pixels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(pixels))
    save_file(make_weights(kind == "siglip2"), tmp_path / "model.safetensors")
    return tmp_path


def load(folder: Path, tokenizer: Callable[[list[str]], Tensor] | None = numbers) -> Any:
    return load_model(f"local-dir:{folder}", device="cpu", tokenizer=tokenizer)


def change(folder: Path, part: str, **entries: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config[part] |= entries
    path.write_text(json.dumps(config))


def images() -> Tensor:
    size = PATCH * SIDE
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_it_is_the_model_that_its_weights_make(folder: Path) -> None:
    model, weights = load(folder), load_file(folder / "model.safetensors")
    assert (model.grid, model.mean, model.std) == ((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3)
    found = model.token_map(images())
    torch.testing.assert_close(found.representation, image_vector(weights, images()))
    prompts = ["nuclei", "actin"]
    expected = text_vector(weights, numbers(prompts))
    torch.testing.assert_close(model.encode_text(prompts), expected)
    assert model.text.logit_scale == pytest.approx(float(weights["logit_scale"].exp()))


def test_the_activation_is_the_one_it_names(folder: Path) -> None:
    for part in ("text_config", "vision_config"):
        change(folder, part, hidden_act="gelu")
    model, weights = load(folder), load_file(folder / "model.safetensors")
    found = model.token_map(images()).representation
    torch.testing.assert_close(found, image_vector(weights, images(), "none"))
    assert (found - image_vector(weights, images(), "tanh")).abs().max() > 1e-5
    expected = text_vector(weights, numbers(["nuclei"]), "none")
    torch.testing.assert_close(model.encode_text(["nuclei"]), expected)


def test_its_own_tokenizer_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no way back to CLIP's own vocabulary, whose numbers would mean other words."""
    read: list[tuple[str, dict[str, Any]]] = []

    def tokenizer(name: str, **options: Any) -> Callable[[list[str]], Tensor]:
        read.append((name, options))
        return numbers

    monkeypatch.setattr("napari_clip_heatmap.clip.text.HFTokenizer", tokenizer)
    load(folder, tokenizer=None).encode_text(["cell"])
    ((name, options),) = read
    assert name == str(folder)
    assert (options["context_length"], options["clean"]) == (CONTEXT, "canonicalize")


@pytest.mark.parametrize(
    ("part", "entries", "error", "message"),
    [
        ("text_config", {"hidden_act": "relu"}, UnsupportedModelError, "hidden_act 'relu'"),
        ("vision_config", {"layer_norm_eps": 1e-5}, UnsupportedModelError, "layer_norm_eps"),
        ("vision_config", {"vision_use_head": False}, UnsupportedModelError, "vision_use_head"),
        ("text_config", {"projection_size": 40}, UnsupportedModelError, "40 dimensions"),
        ("vision_config", {"num_hidden_layers": 0}, ModelLoadError, "num_hidden_layers' is 0"),
        ("vision_config", {"num_hidden_layers": 1}, ModelLoadError, "do not fit.*blocks.1"),
        ("vision_config", {"intermediate_size": 99}, ModelLoadError, "do not fit.*mlp.fc1"),
    ],
)
def test_what_does_not_fit_is_named(
    folder: Path,
    part: str,
    entries: dict[str, Any],
    error: type[ClipHeatmapError],
    message: str,
) -> None:
    change(folder, part, **entries)
    with pytest.raises(error, match=message):
        load(folder)


@pytest.mark.parametrize("kind", ["siglip2"], indirect=True)
def test_positions_that_form_no_square(folder: Path) -> None:
    change(folder, "vision_config", num_patches=8)
    with pytest.raises(ModelLoadError, match="8 positions form no square"):
        load(folder)


@pytest.mark.parametrize("kind", ["siglip"], indirect=True)
def test_weights_that_lack_a_part(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["vision_model.encoder.layers.1.self_attn.k_proj.bias"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"blocks\.1\.attn\.qkv\.bias"):
        load(folder)
