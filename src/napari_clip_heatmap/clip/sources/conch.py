"""CONCH (Lu et al., Nature Medicine 2024) from its authors' own checkpoint.

It is a CoCa whose image tower is a timm transformer with a pooler for contrast and one for
captions. What makes captions is left out here. The names and shapes of the tensors tell the
architecture, and the authors' code the rest: heads of 64, eight in the pooler, and OpenAI's mean
and deviation of the colors. The tokenizer is a file of its own, which their repository has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from open_clip.model import LayerNorm
from open_clip.transformer import AttentionalPooler
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from napari_clip_heatmap.clip.sources.build import build_model, raise_if_misfit, without_memory
from napari_clip_heatmap.clip.sources.normalization import OPENAI, LoadedModel, Normalization
from napari_clip_heatmap.clip.text import Tokenizer
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["TOKENIZER_NAME", "is_conch", "load_conch"]

TOKENIZER_NAME = "conch_byte_level_bpe_uncased.json"
"""The tokenizer's file in the authors' repository."""

D_HEAD, POOLER_HEADS = 64, 8

_CAPTIONS = ("visual.attn_pool_caption.", "visual.ln_caption.", "text_decoder.")
"""What begins the names of all that makes captions."""

_RENAMED = {
    "visual.attn_pool_contrast.": "visual.attn_pool.",
    "visual.ln_contrast.": "visual.ln_post.",
    "visual.proj_contrast": "visual.proj",
}


def is_conch(weights: Mapping[str, Tensor]) -> bool:
    """Whether tensors bear the names of CONCH's checkpoint."""
    return "visual.attn_pool_contrast.query" in weights and "visual.trunk.pos_embed" in weights


def load_conch(
    path: Path, weights: Mapping[str, Tensor], name: str, normalization: Normalization | None = None
) -> LoadedModel:
    """Return the model of a checkpoint.

    Parameters
    ----------
    path : Path
        Of the checkpoint; the tokenizer's file is looked for in the same folder.
    weights : mapping of str to Tensor
        Its content.
    name : str
        As the user gave it.
    normalization : Normalization, optional
        Instead of OpenAI's, which the authors take.

    Raises
    ------
    ModelLoadError
        A part is missing, or one is there that CONCH does not have.
    """
    with without_memory():
        skeleton = _build(weights, path)
    named = _convert(weights)
    raise_if_misfit(skeleton, named, origin=str(path))
    model = _build(weights, path)
    model.load_state_dict(named, strict=True)
    length = _shape(weights, "text.positional_embedding", path)[0] - 1
    return LoadedModel(
        name=name,
        module=model.eval(),
        tokenizer=lambda: _tokenizer(path.parent, length),
        normalization=normalization or OPENAI,
    )


class ConchVisionTower(nn.Module):
    """The image tower: the trunk's tokens, pooled by attention, normalized and projected.

    Parameters
    ----------
    trunk : timm.models.vision_transformer.VisionTransformer
    d_embed : int
    """

    def __init__(self, trunk: VisionTransformer, d_embed: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.image_size = trunk.patch_embed.img_size
        self.attn_pool = AttentionalPooler(
            d_embed, trunk.num_features, n_head=POOLER_HEADS, n_queries=1
        )
        self.ln_post = LayerNorm(d_embed)
        self.proj = nn.Parameter(torch.empty(d_embed, d_embed))

    def forward(self, images: Tensor) -> Tensor:
        """Return the embedding of preprocessed images, [batch, d_embed]."""
        pooled = self.attn_pool(self.trunk.forward_features(images))[:, 0]
        embedding: Tensor = self.ln_post(pooled) @ self.proj
        return embedding


def _build(weights: Mapping[str, Tensor], path: Path) -> nn.Module:
    """Return a model of that checkpoint's shapes, without its weights."""
    d_embed = _shape(weights, "visual.proj_contrast", path)[1]
    n_positions, width = _shape(weights, "text.positional_embedding", path)
    config = {
        "embed_dim": d_embed,
        "custom_text": True,
        "vision_cfg": {"layers": 1, "width": 64, "image_size": 16, "patch_size": 16},
        "text_cfg": {
            "context_length": n_positions - 1,  # the last is the class token's
            "vocab_size": _shape(weights, "text.token_embedding.weight", path)[0],
            "width": width,
            "heads": width // D_HEAD,
            "layers": _count(weights, "text.transformer.resblocks."),
            "embed_cls": True,
        },
    }
    model: Any = build_model(config, origin=str(path))
    model.visual = ConchVisionTower(_trunk(weights, path), d_embed)
    built: nn.Module = model
    return built


def _trunk(weights: Mapping[str, Tensor], path: Path) -> VisionTransformer:
    _, n_tokens, width = _shape(weights, "visual.trunk.pos_embed", path)
    patch = _shape(weights, "visual.trunk.patch_embed.proj.weight", path)[-1]
    return VisionTransformer(
        img_size=math.isqrt(n_tokens - 1) * patch,
        patch_size=patch,
        embed_dim=width,
        depth=_count(weights, "visual.trunk.blocks."),
        num_heads=width // D_HEAD,
        num_classes=0,
    )


def _convert(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that make no captions under the model's names."""
    converted = {}
    for name, tensor in weights.items():
        if name.startswith(_CAPTIONS):
            continue
        for old, new in _RENAMED.items():
            name = f"{new}{name.removeprefix(old)}" if name.startswith(old) else name
        converted[name] = tensor
    return converted


def _shape(weights: Mapping[str, Tensor], name: str, path: Path) -> torch.Size:
    """Return a tensor's shape.

    Raises
    ------
    ModelLoadError
        It is not there.
    """
    if name not in weights:
        raise ModelLoadError(f"{path} looks like a checkpoint of CONCH but has no '{name}'.")
    return weights[name].shape


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbered blocks there are below a name."""
    return len(
        {name.removeprefix(prefix).partition(".")[0] for name in weights if name.startswith(prefix)}
    )


def _tokenizer(folder: Path, context_length: int) -> Tokenizer:
    """Return CONCH's tokenizer, from the file in the model's folder or the authors' package.

    Raises
    ------
    ModelLoadError
        There is no such file, or no library that reads it.
    """
    path = _tokenizer_file(folder)
    try:
        from tokenizers import Tokenizer as FastTokenizer
    except ImportError as error:
        raise ModelLoadError(
            "CONCH's tokenizer needs the package 'tokenizers': `pip install tokenizers`."
        ) from error
    fast = FastTokenizer.from_file(str(path))
    fast.enable_truncation(context_length)
    fast.enable_padding(length=context_length, pad_id=0, pad_token="<pad>")
    return lambda texts: torch.tensor([each.ids for each in fast.encode_batch(texts)])


def _tokenizer_file(folder: Path) -> Path:
    package = find_spec("conch")  # the authors', if it is installed
    homes = (package.submodule_search_locations or []) if package else []
    places = [
        folder / TOKENIZER_NAME,
        folder / "tokenizer.json",
        *(Path(home) / "open_clip_custom" / "tokenizers" / TOKENIZER_NAME for home in homes),
    ]
    for place in places:
        if place.is_file():
            return place
    raise ModelLoadError(
        f"CONCH's tokenizer is not in {folder}. Put {TOKENIZER_NAME} there, from "
        "conch/open_clip_custom/tokenizers of github.com/mahmoodlab/CONCH, or pass "
        "load_model(..., tokenizer=...)."
    )
