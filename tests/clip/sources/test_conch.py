"""CONCH's checkpoint: random tensors of the published layout, and the model that they make.

Names, shapes and the way through them are written down here a second time, in plain torch.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.sources.local import architectures_alike
from napari_clip_heatmap.errors import ModelLoadError

PATCH, SIDE, WIDTH, D_EMBED, D_CAPTION = 8, 4, 128, 64, 32
TEXT_WIDTH, CONTEXT, WORDS, LAYERS, HIDDEN = 64, 12, 50, 2, 4
D_HEAD, POOLER_HEADS = 64, 8

Weights = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


def linear(name: str, n_in: int, n_out: int) -> Shapes:
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def pooler(name: str, width: int, n_queries: int) -> Shapes:
    return {
        f"{name}.query": (n_queries, width),
        f"{name}.attn.q_proj_weight": (width, width),
        f"{name}.attn.k_proj_weight": (width, WIDTH),
        f"{name}.attn.v_proj_weight": (width, WIDTH),
        f"{name}.attn.in_proj_bias": (3 * width,),
        **linear(f"{name}.attn.out_proj", width, width),
        **norm(f"{name}.ln_q", width),
        **norm(f"{name}.ln_k", WIDTH),
    }


def text_block(home: str) -> Shapes:
    return {
        f"{home}.attn.in_proj_weight": (3 * TEXT_WIDTH, TEXT_WIDTH),
        f"{home}.attn.in_proj_bias": (3 * TEXT_WIDTH,),
        **linear(f"{home}.attn.out_proj", TEXT_WIDTH, TEXT_WIDTH),
        **norm(f"{home}.ln_1", TEXT_WIDTH),
        **norm(f"{home}.ln_2", TEXT_WIDTH),
        **linear(f"{home}.mlp.c_fc", TEXT_WIDTH, HIDDEN * TEXT_WIDTH),
        **linear(f"{home}.mlp.c_proj", HIDDEN * TEXT_WIDTH, TEXT_WIDTH),
    }


def trunk_block(home: str) -> Shapes:
    return {
        **norm(f"{home}.norm1", WIDTH),
        **linear(f"{home}.attn.qkv", WIDTH, 3 * WIDTH),
        **linear(f"{home}.attn.proj", WIDTH, WIDTH),
        **norm(f"{home}.norm2", WIDTH),
        **linear(f"{home}.mlp.fc1", WIDTH, HIDDEN * WIDTH),
        **linear(f"{home}.mlp.fc2", HIDDEN * WIDTH, WIDTH),
    }


def shapes() -> Shapes:
    found: Shapes = {
        "logit_scale": (),
        "text.text_projection": (TEXT_WIDTH, D_EMBED),
        "text.cls_emb": (TEXT_WIDTH,),
        "text.positional_embedding": (CONTEXT, TEXT_WIDTH),
        "text.token_embedding.weight": (WORDS, TEXT_WIDTH),
        **norm("text.ln_final", TEXT_WIDTH),
        "visual.proj_contrast": (D_EMBED, D_EMBED),
        "visual.trunk.cls_token": (1, 1, WIDTH),
        "visual.trunk.pos_embed": (1, 1 + SIDE**2, WIDTH),
        "visual.trunk.patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "visual.trunk.patch_embed.proj.bias": (WIDTH,),
        **norm("visual.trunk.norm", WIDTH),
        **pooler("visual.attn_pool_contrast", D_EMBED, 1),
        **norm("visual.ln_contrast", D_EMBED),
        **pooler("visual.attn_pool_caption", D_CAPTION, 5),
        **norm("visual.ln_caption", D_CAPTION),
        "text_decoder.text_projection": (TEXT_WIDTH, WORDS),
        **norm("text_decoder.ln_final", TEXT_WIDTH),
    }
    for number in range(LAYERS):
        found |= text_block(f"text.transformer.resblocks.{number}")
        found |= trunk_block(f"visual.trunk.blocks.{number}")
        for part in ("resblocks", "cross_attn"):
            found |= text_block(f"text_decoder.{part}.{number}")
        found |= norm(f"text_decoder.cross_attn.{number}.ln_1_kv", TEXT_WIDTH)
    return found


def make_weights() -> Weights:
    generator = torch.Generator().manual_seed(7)
    made = {}
    for name, shape in shapes().items():
        scale = torch.Size(shape[1:]).numel() ** -0.5 if len(shape) > 1 else 0.3
        made[name] = scale * torch.randn(shape, generator=generator)
        if len(shape) == 1 and name.endswith("weight"):
            made[name] += 1
    return made


def through(weights: Weights, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    if weight.ndim == 1:
        return F.layer_norm(x, weight.shape, weight, bias, eps)
    return x @ weight.T + bias


def attention(
    query: Tensor, key: Tensor, value: Tensor, n_heads: int, blocked: Tensor | None = None
) -> Tensor:
    q, k, v = (rearrange(x, "b n (h d) -> b h n d", h=n_heads) for x in (query, key, value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if blocked is not None:
        scores = scores.masked_fill(blocked[:, None], -math.inf)
    return rearrange(scores.softmax(dim=-1) @ v, "b h n d -> b n (h d)")


def image_vector(weights: Weights, pixels: Tensor) -> Tensor:
    trunk, home = "visual.trunk", "visual.attn_pool_contrast"
    kernel = weights[f"{trunk}.patch_embed.proj.weight"]
    patches = F.conv2d(pixels, kernel, weights[f"{trunk}.patch_embed.proj.bias"], stride=PATCH)
    patches = rearrange(patches, "b d y x -> b (y x) d")
    cls = weights[f"{trunk}.cls_token"].expand(len(patches), -1, -1)
    x = torch.cat([cls, patches], dim=1) + weights[f"{trunk}.pos_embed"]
    for number in range(LAYERS):
        block = f"{trunk}.blocks.{number}"
        joint = through(weights, f"{block}.attn.qkv", through(weights, f"{block}.norm1", x, 1e-6))
        mixed = attention(*joint.chunk(3, dim=-1), n_heads=WIDTH // D_HEAD)
        x = x + through(weights, f"{block}.attn.proj", mixed)
        inner = through(weights, f"{block}.mlp.fc1", through(weights, f"{block}.norm2", x, 1e-6))
        x = x + through(weights, f"{block}.mlp.fc2", F.gelu(inner))
    tokens = through(weights, f"{home}.ln_k", through(weights, f"{trunk}.norm", x, 1e-6))
    bias = weights[f"{home}.attn.in_proj_bias"].chunk(3)
    query = through(weights, f"{home}.ln_q", weights[f"{home}.query"]).expand(len(x), 1, -1)
    parts = [
        each @ weights[f"{home}.attn.{name}_proj_weight"].T + shift
        for each, name, shift in zip((query, tokens, tokens), "qkv", bias, strict=True)
    ]
    mixed = attention(*parts, n_heads=POOLER_HEADS)
    pooled = through(weights, f"{home}.attn.out_proj", mixed)[:, 0]
    return through(weights, "visual.ln_contrast", pooled) @ weights["visual.proj_contrast"]


def text_vector(weights: Weights, numbers: Tensor) -> Tensor:
    """Return unit vectors; `numbers` are filled up with 0, whose places the class token skips.

    As trained, the places that it skips are one too late: it sees the first filling, too.
    """
    x = weights["text.token_embedding.weight"][numbers]
    x = torch.cat([x, weights["text.cls_emb"].expand(len(x), 1, -1)], dim=1)
    x = x + weights["text.positional_embedding"]
    blocked = torch.ones(CONTEXT, CONTEXT).triu(1).bool().expand(len(x), -1, -1).clone()
    blocked[:, -1, 1:] |= numbers == 0
    for number in range(LAYERS):
        home = f"text.transformer.resblocks.{number}"
        joint = through(weights, f"{home}.ln_1", x) @ weights[f"{home}.attn.in_proj_weight"].T
        joint = joint + weights[f"{home}.attn.in_proj_bias"]
        mixed = attention(*joint.chunk(3, dim=-1), TEXT_WIDTH // D_HEAD, blocked)
        x = x + through(weights, f"{home}.attn.out_proj", mixed)
        inner = through(weights, f"{home}.mlp.c_fc", through(weights, f"{home}.ln_2", x))
        x = x + through(weights, f"{home}.mlp.c_proj", F.gelu(inner))
    pooled = through(weights, "text.ln_final", x[:, -1]) @ weights["text.text_projection"]
    return F.normalize(pooled, dim=-1)


def numbers(texts: list[str]) -> Tensor:
    """Stand for the tokenizer: as many numbers as a text has letters, then filling."""
    rows = [[1, *range(5, 5 + min(len(text), CONTEXT - 3)), 2] for text in texts]
    return torch.tensor([row + [0] * (CONTEXT - 1 - len(row)) for row in rows])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "pytorch_model.bin"
    torch.save(make_weights(), path)
    return path


def load(name: object, **options: Any) -> Any:
    return load_model(str(name), device="cpu", **{"tokenizer": numbers, **options})


def test_it_is_the_model_that_its_weights_make(checkpoint: Path) -> None:
    weights, model = make_weights(), load(checkpoint)
    assert (model.image_size, model.grid) == ((PATCH * SIDE,) * 2, (SIDE, SIDE))
    assert model.describe()["family"] == "timm_coca"
    assert model.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    images = torch.randn(2, 3, *model.image_size, generator=torch.Generator().manual_seed(1))
    found = model.token_map(images)
    torch.testing.assert_close(found.representation, image_vector(weights, images))
    prompts = ["ki", "nuclei", "lymphocytes everywhere"]
    expected = text_vector(weights, numbers(prompts))
    torch.testing.assert_close(model.encode_text(prompts), expected)
    assert model.text.logit_scale == pytest.approx(float(weights["logit_scale"].exp()))


def test_the_folder_is_enough(checkpoint: Path) -> None:
    model = load(f"local-dir:{checkpoint.parent}")
    assert model.weights_sha256 == load(checkpoint).weights_sha256
    assert architectures_alike(checkpoint) is None


def test_what_training_puts_around_it_is_taken_off(checkpoint: Path) -> None:
    sha = load(checkpoint).weights_sha256
    wrapped = {f"module.{name}": tensor for name, tensor in make_weights().items()}
    torch.save({"state_dict": wrapped}, checkpoint)
    assert load(checkpoint).weights_sha256 == sha


def test_other_pixels_are_the_user_s_to_choose(checkpoint: Path) -> None:
    assert load(checkpoint, preprocess="imagenet").mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("visual.proj_contrast", "has no 'visual.proj_contrast'"),
        ("visual.ln_contrast.bias", "do not fit.*1 missing .visual.ln_post.bias"),
        ("text.cls_emb", "do not fit.*missing .text.cls_emb"),
    ],
)
def test_a_part_that_is_missing_is_named(checkpoint: Path, name: str, message: str) -> None:
    weights = make_weights()
    del weights[name]
    torch.save(weights, checkpoint)
    with pytest.raises(ModelLoadError, match=message):
        load(checkpoint)


def test_a_part_that_is_too_much_is_named(checkpoint: Path) -> None:
    torch.save({**make_weights(), "visual.trunk.extra": torch.zeros(3)}, checkpoint)
    with pytest.raises(ModelLoadError, match=r"1 unknown .visual\.trunk\.extra"):
        load(checkpoint)


def test_a_folder_of_other_weights_is_no_conch(checkpoint: Path) -> None:
    torch.save({"some.weight": torch.zeros(3)}, checkpoint)
    with pytest.raises(ModelLoadError, match="is not a model folder"):
        load(f"local-dir:{checkpoint.parent}")


def test_a_tokenizer_that_is_not_there_is_asked_for(checkpoint: Path) -> None:
    model = load(checkpoint, tokenizer=None)  # images need none
    with pytest.raises(ModelLoadError, match=r"Put conch_byte_level_bpe_uncased\.json there"):
        model.encode_text(["nuclei"])


def test_the_tokenizer_s_file_is_read(checkpoint: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"<pad>": 0, "<start_of_text>": 1, "<end_of_text>": 2, "nuclei": 3, "cell": 4}
    fast = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="cell"))
    fast.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    fast.post_processor = tokenizers.processors.TemplateProcessing(
        single="<start_of_text> $A <end_of_text>",
        special_tokens=[("<start_of_text>", 1), ("<end_of_text>", 2)],
    )
    fast.save(str(checkpoint.parent / "conch_byte_level_bpe_uncased.json"))
    model = load(checkpoint, tokenizer=None)
    rows = torch.tensor([[1, 3, 4, 2] + [0] * 7, [1] + [3] * 9 + [2]])
    expected = text_vector(make_weights(), rows)
    found = model.encode_text(["nuclei cell", "nuclei " * 40])
    torch.testing.assert_close(found, expected)
    assert model.text.unread_words("nuclei " * 40) == ("nuclei",) * 31
