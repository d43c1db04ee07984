"""The definition of the decomposition, computed literally and slowly, from weights alone.

Loops over layers, heads and tokens; shares no code with the package. Source: arXiv 2310.05916.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import _build_vision_tower
from torch import Tensor, nn

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.tower import Tower

DATA = Path(__file__).parent.parent / "data"


@dataclass
class Literal:
    attention: Tensor  # [batch, layer, token, head, d_embed]
    mlp: Tensor  # [batch, layer + 1, d_embed]
    representation: Tensor  # [batch, d_embed]


def _norm(x: Tensor, w: dict[str, Tensor], name: str, eps: float) -> Tensor:
    centered = x - x.mean()
    return (
        centered / math.sqrt(float((centered**2).mean()) + eps) * w[f"{name}.weight"]
        + w[f"{name}.bias"]
    )


def _gelu(x: Tensor, *, quick: bool) -> Tensor:
    return x * torch.sigmoid(1.702 * x) if quick else x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _embed(image: Tensor, w: dict[str, Tensor], patch: int, eps: float) -> Tensor:
    kernel = w["conv1.weight"].flatten(1)
    rows = [w["class_embedding"]]
    for y, x in product(range(0, image.shape[1], patch), range(0, image.shape[2], patch)):
        rows += [kernel @ image[:, y : y + patch, x : x + patch].flatten()]
    stream = torch.stack(rows) + w["positional_embedding"]
    return torch.stack([_norm(row, w, "ln_pre", eps) for row in stream])


def decompose_literally(
    visual: nn.Module,
    images: Tensor,
    *,
    n_heads: int,
    patch: int,
    quick_gelu: bool = False,
    eps: float = 1e-5,
    centered: bool = False,
) -> Literal:
    """All terms of each image, in double precision."""
    w = {name: value.double() for name, value in visual.state_dict().items()}
    n_layers = 1 + max(int(n.split(".")[2]) for n in w if n.startswith("transformer.resblocks"))
    results = [
        _decompose_one(image.double(), w, n_layers, n_heads, patch, quick_gelu, eps, centered)
        for image in images
    ]
    return Literal(*(torch.stack(part) for part in zip(*results, strict=True)))


def _decompose_one(
    image: Tensor,
    w: dict[str, Tensor],
    n_layers: int,
    n_heads: int,
    patch: int,
    quick_gelu: bool,
    eps: float,
    centered: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    stream = _embed(image, w, patch, eps)
    n_tokens, d_model = stream.shape
    size = d_model // n_heads
    heads: dict[tuple[int, int, int], Tensor] = {}
    constants: dict[tuple[int, int], Tensor] = {}
    direct = [stream[0]]
    for layer in range(n_layers):
        block = f"transformer.resblocks.{layer}"
        normed = torch.stack([_norm(row, w, f"{block}.ln_1", eps) for row in stream])
        projected = normed @ w[f"{block}.attn.in_proj_weight"].T + w[f"{block}.attn.in_proj_bias"]
        value_bias = w[f"{block}.attn.in_proj_bias"][2 * d_model :]
        out = w[f"{block}.attn.out_proj.weight"]
        added = torch.zeros_like(stream) + w[f"{block}.attn.out_proj.bias"]
        for head in range(n_heads):
            own = slice(head * size, (head + 1) * size)
            query, key, value = (projected[:, part * d_model :][:, own] for part in range(3))
            attention = (query @ key.T / math.sqrt(size)).softmax(-1)
            added += attention @ value @ out[:, own].T
            constants[layer, head] = w[f"{block}.attn.out_proj.bias"] / n_heads
            bias = torch.zeros(size, dtype=torch.float64)
            if centered:
                bias = value_bias[own]
                constants[layer, head] = constants[layer, head] + out[:, own] @ bias
            for token in range(n_tokens):
                heads[layer, head, token] = out[:, own] @ (
                    attention[0, token] * (value[token] - bias)
                )
        stream = stream + added
        hidden = torch.stack([_norm(row, w, f"{block}.ln_2", eps) for row in stream])
        hidden = hidden @ w[f"{block}.mlp.c_fc.weight"].T + w[f"{block}.mlp.c_fc.bias"]
        mlp = _gelu(hidden, quick=quick_gelu) @ w[f"{block}.mlp.c_proj.weight"].T
        mlp = mlp + w[f"{block}.mlp.c_proj.bias"]
        direct.append(mlp[0])
        stream = stream + mlp
    return _project(stream[0], heads, constants, direct, w, eps, centered)


def _project(
    pooled: Tensor,
    heads: dict[tuple[int, int, int], Tensor],
    constants: dict[tuple[int, int], Tensor],
    direct: list[Tensor],
    w: dict[str, Tensor],
    eps: float,
    centered: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    gamma, beta, projection = w["ln_post.weight"], w["ln_post.bias"], w["proj"]
    mean = pooled.mean()
    sigma = torch.sqrt(((pooled - mean) ** 2).mean() + eps)
    z = _norm(pooled, w, "ln_post", eps) @ projection
    n_layers, n_heads, n_tokens = (1 + max(key[axis] for key in heads) for axis in range(3))
    n_terms = 2 * n_layers + 1

    def image(term: Tensor, part: float) -> Tensor:
        shift = term.mean() if centered else mean * part
        return (gamma * (term - shift) / sigma + beta * part) @ projection / z.norm()

    attention = torch.zeros(n_layers, n_tokens, n_heads, len(z), dtype=torch.float64)
    for (layer, head, token), term in heads.items():
        whole = term + constants[layer, head] / n_tokens
        attention[layer, token, head] = image(whole, 1 / (n_terms * n_tokens * n_heads))
    return attention, torch.stack([image(term, 1 / n_terms) for term in direct]), z


@pytest.fixture(scope="session")
def literally() -> Callable[..., Literal]:
    """The oracle."""
    return decompose_literally


@dataclass
class Reference:
    """Numbers of the authors' own code, and the tower they belong to."""

    visual: Any
    tower: Tower
    n_heads: int
    patch: int
    quick_gelu: bool
    arrays: dict[str, Tensor]


@pytest.fixture(scope="session", params=["reference_a", "reference_b"])
def reference(request: pytest.FixtureRequest) -> Reference:
    with np.load(DATA / f"{request.param}.npz") as stored:
        arrays = {name: torch.tensor(stored[name]) for name in stored if name != "config"}
        config = json.loads(str(stored["config"]))
    vision = config["vision_cfg"]
    visual = _build_vision_tower(config["embed_dim"], vision, config["quick_gelu"]).eval()
    visual.load_state_dict({n[2:]: arrays.pop(n) for n in list(arrays) if n.startswith("w.")})
    n_heads = vision["width"] // vision["head_width"]
    return Reference(
        visual, adapt(visual), n_heads, vision["patch_size"], config["quick_gelu"], arrays
    )


@pytest.fixture(scope="session")
def batch() -> Tensor:
    """Two images for `tiny_clip`."""
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
