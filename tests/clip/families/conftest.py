"""Image towers of real open_clip architectures, cut in depth and input size, weights at random."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip.model import _build_vision_tower
from timm.layers import Mlp, apply_rot_embed_cat
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from napari_clip_heatmap.clip.sources.conch import ConchVisionTower
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.token_map import fold, token_map

SIZE = (96, 64)
"""Pixels of the cut towers' input: not square, 6 by 4 patches of 16."""

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "CLIPA": (
        "ViT-L-14-CLIPA",
        {"layers": 2, "image_size": (56, 28), "width": 128, "head_width": 32},
    ),
    "BiomedCLIP": (
        "MobileCLIP-B",
        {"timm_model_name": "vit_base_patch16_224", "timm_pool": "", "timm_proj": "linear"},
    ),
    "MobileCLIP-B": ("MobileCLIP-B", {}),
    "ViTamin-S": ("ViTamin-S", {}),
    "vit_medium_gap": ("vit_medium_patch16_gap_256", {}),
    "EVA01-g": ("EVA01-g-14", {}),
    "EVA02-B": ("EVA02-B-16", {}),
    "EVA02-E": ("EVA02-E-14", {}),
    "SigLIP-B": ("ViT-B-16-SigLIP", {}),
    "SigLIP2-gopt": ("ViT-gopt-16-SigLIP2-256", {}),
    "PE-Core-T": ("PE-Core-T-16-384", {}),
    "CoCa": ("coca_ViT-B-32", {"layers": 2, "image_size": (96, 64), "width": 128}),
    "RN50": ("RN50", {"layers": [1, 1, 1, 1], "image_size": 96, "width": 16}),
    "ConvNeXt-T": ("convnext_tiny", {}),
    "ConvNeXt-L-MLP": ("convnext_large_d", {}),
    "MobileCLIP2-S0": ("MobileCLIP2-S0", {"image_size": SIZE}),
    "MobileCLIP2-S3": ("MobileCLIP2-S3", {"image_size": (192, 128)}),
    "Swin-B": ("swin_base_patch4_window7_224", {}),
    "RelPos": ("vit_relpos_medium_patch16_cls_224", {}),
    "RelPos, norms after": (
        "vit_relpos_medium_patch16_cls_224",
        {"timm_model_name": "vit_relpos_medium_patch16_rpn_224"},
    ),
    "RelPos, shared": (
        "vit_relpos_medium_patch16_cls_224",
        {"timm_model_name": "vit_srelpos_small_patch16_224"},
    ),
    "TIPSv2-B": (
        "MobileCLIP-B",
        {
            "timm_model_name": "vit_base_patch14_reg1_tipsv2",
            "timm_pool": "token",
            "timm_proj": "none",
        },
    ),
    "SigLIP2-NaFlex": (
        "ViT-B-16-SigLIP2",
        {"timm_model_name": "naflexvit_base_patch16_siglip", "image_size": SIZE},
    ),
}
"""Name in the tests: architecture of open_clip, and what is changed of its vision configuration."""


NARROW: dict[str, dict[str, Any]] = {
    "EVA01-g-14": {"embed_dim": 176, "num_heads": 4},
    "EVA02-E-14": {"embed_dim": 224, "num_heads": 4},
    "EVA02-B-16": {"embed_dim": 192, "num_heads": 3},
    "ViT-gopt-16-SigLIP2-256": {"embed_dim": 192, "num_heads": 4},
    "ViT-B-16-SigLIP": {"embed_dim": 192, "num_heads": 3},
    "convnext_tiny": {"dims": (24, 48, 96, 192)},
    "convnext_large_d": {"dims": (24, 48, 96, 192)},
    "MobileCLIP2-S3": {"embed_dims": (24, 48, 96, 96, 192)},
    "swin_base_patch4_window7_224": {
        "embed_dim": 24,
        "depths": (2, 2, 2, 2),
        "num_heads": (1, 2, 4, 8),
    },
}
"""Widths of the trunks that are cut in width, too."""


def build(arch: str, changed: dict[str, Any], n_blocks: int = 2) -> Any:
    """Return an image tower cut to a few blocks before it takes memory."""
    config = copy.deepcopy(open_clip.get_model_config(arch))
    quick = config.get("quick_gelu", False)
    with torch.device("meta"):
        visual = _build_vision_tower(
            config["embed_dim"], {**config["vision_cfg"], **changed}, quick
        )
        if arch in NARROW:
            _narrow(visual, config["vision_cfg"], NARROW[arch])
        trunk = getattr(visual, "trunk", None)
        if hasattr(trunk, "blocks"):
            trunk.blocks = trunk.blocks[:n_blocks]
        for stage in getattr(trunk, "stages", []):
            stage.blocks = stage.blocks[:1]
    visual = visual.to_empty(device="cpu").eval()
    fill(visual)
    if hasattr(trunk, "set_input_size") and not hasattr(trunk, "layers"):  # Swin keeps its windows
        patch = trunk.patch_embed.patch_size[0]
        visual.set_input_size(SIZE if patch != 14 else (56, 28))
    return visual


def _narrow(visual: Any, vision: dict[str, Any], widths: dict[str, Any]) -> None:
    """Put a narrower trunk of the same architecture in the place of the trunk."""
    d_embed = visual.trunk.num_classes
    visual.trunk = timm.create_model(
        vision["timm_model_name"],
        num_classes=d_embed,
        global_pool=vision["timm_pool"] or "avg",
        **widths,
    )
    if hasattr(visual.head, "proj"):
        visual.head.proj = nn.Linear(visual.trunk.num_features, 64, bias=False)
    if hasattr(visual.head, "mlp"):
        visual.head.mlp = Mlp(visual.trunk.num_features, 128, 64)


def fill(visual: nn.Module) -> None:
    """Give every weight and statistic a random value that keeps activations of order one."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in visual.named_parameters():
            scale = value[0].numel() ** -0.5 if value.ndim > 1 else 0.3
            value.normal_(std=scale, generator=generator)
            if value.ndim == 1 and name.endswith(("weight", "gamma")):
                value += 1
        for name, value in visual.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2, generator=generator)
            elif name.endswith("running_mean"):
                value.normal_(generator=generator)
    for module in visual.modules():  # what is computed at the start and in no checkpoint
        if hasattr(module, "init_non_persistent_buffers"):
            module.init_non_persistent_buffers()


def build_conch() -> Any:
    """Return an image tower of CONCH, which is none of open_clip's architectures."""
    trunk = VisionTransformer(SIZE, 16, embed_dim=192, depth=2, num_heads=3, num_classes=0)
    visual = ConchVisionTower(trunk, 64).eval()
    fill(visual)
    return visual


@cache
def _built(name: str, dtype: torch.dtype = torch.float32) -> Any:
    if dtype == torch.float32:
        return build_conch() if name == "CONCH" else build(*ARCHITECTURES[name])
    return copy.deepcopy(_built(name)).to(dtype)


class Oracle:
    """The families' definition, slow: what every token adds, one by one, from the real modules.

    The streams are recorded by hooks in the tower's own forward pass. Attention is then written out
    for every query and token, each norm is applied to a single term with the statistics that it
    really had, and the terms are carried through to the embedding. Nothing here is shared with the
    package but what is to be checked.
    """

    @staticmethod
    @contextmanager
    def inputs_of(modules: list[nn.Module]) -> Iterator[list[Tensor]]:
        """Record what goes into each module, in the order in which they run."""
        seen: list[Tensor] = []
        hooks = [m.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for m in modules]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()

    @staticmethod
    def frozen(norm: Any, terms: Tensor, whole: Tensor) -> Tensor:
        """Apply a LayerNorm to terms [..., d] of `whole`, its deviation held, without its shift."""
        if norm is None or isinstance(norm, nn.Identity):
            return terms
        sigma = (whole.var(dim=-1, correction=0, keepdim=True) + norm.eps).sqrt()
        while sigma.ndim < terms.ndim:
            sigma = sigma.unsqueeze(-2)
        return (terms - terms.mean(dim=-1, keepdim=True)) / sigma * norm.weight

    @staticmethod
    def divided(norm: Any, terms: Tensor, whole: Tensor) -> Tensor:
        """Apply the last LayerNorm, whose mean the authors split evenly: it is no token's."""
        sigma = (whole.var(dim=-1, correction=0, keepdim=True) + norm.eps).sqrt()
        return terms / sigma.unsqueeze(-2) * norm.weight

    @staticmethod
    def by_token(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        n_heads: int,
        turn: Any = None,
        norms: Any = (),
        bias: Any = 0,
    ) -> Tensor:
        """Return what each query takes from each token, [batch, query, token, head * d_head]."""

        def heads(x: Tensor) -> Tensor:
            return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)

        query, key, value = heads(query), heads(key), heads(value)
        for norm in norms:
            query, key = norm[0](query), norm[1](key)
        if turn is not None:
            query, key = turn(query), turn(key)
        attention = (query @ key.mT / query.shape[-1] ** 0.5 + bias).softmax(dim=-1)
        return torch.einsum("bhqn,bhnd->bqnhd", attention, value).flatten(3)

    @staticmethod
    def added(
        mixed: Tensor, inner: Any, out: nn.Linear, outer: Any = None, scale: Tensor | None = None
    ) -> Tensor:
        """Return each token's term in what attention adds, [batch, query, token, d_model]."""
        whole = mixed.sum(dim=2)
        terms = Oracle.frozen(inner, mixed, whole) @ out.weight.mT
        after = out(whole if inner is None else inner(whole))
        terms = Oracle.frozen(outer, terms, after)
        return terms if scale is None else terms * scale

    @staticmethod
    def native_terms(visual: Any, images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each layer's terms, and the stream after the last layer."""
        blocks = visual.transformer.resblocks
        with Oracle.inputs_of([*blocks]) as streams:
            last = []
            hook = blocks[-1].register_forward_hook(lambda m, a, out: last.append(out))
            visual(images)
            hook.remove()
        for block, stream in zip(blocks, streams, strict=True):
            attn = block.attn
            joint = block.ln_1(stream) @ attn.in_proj_weight.mT + attn.in_proj_bias
            mixed = Oracle.by_token(*joint.chunk(3, dim=-1), attn.num_heads)
            yield Oracle.added(mixed, None, attn.out_proj), last[0]

    @staticmethod
    def timm_terms(visual: Any, images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        trunk = visual.trunk
        with Oracle.inputs_of([*trunk.blocks]) as streams:
            last = []
            hook = trunk.blocks[-1].register_forward_hook(lambda m, a, out: last.append(out))
            visual(images)
            hook.remove()
        for block, stream in zip(trunk.blocks, streams, strict=True):
            attn = block.attn
            post = type(block).__name__ in ("EvaBlockPostNorm", "ResPostRelPosBlock")
            normed = stream if post else block.norm1(stream)
            if getattr(attn, "q_proj", None) is not None:
                parts = [attn.q_proj(normed), attn.k_proj(normed), attn.v_proj(normed)]
            else:
                parts = [*attn.qkv(normed).chunk(3, dim=-1)]
                if getattr(attn, "q_bias", None) is not None:
                    parts = [parts[0] + attn.q_bias, parts[1], parts[2] + attn.v_bias]

            def turn(x: Tensor, attn: Any = attn) -> Tensor:
                n = attn.num_prefix_tokens
                turned = apply_rot_embed_cat(x[:, :, n:], trunk.rope.get_embed())
                return torch.cat([x[:, :, :n], turned], dim=2)

            rotary = turn if getattr(trunk, "rope", None) is not None else None
            relative = getattr(attn, "rel_pos", None) or getattr(trunk, "shared_rel_pos", None)
            bias = 0 if relative is None else relative.get_bias()
            mixed = Oracle.by_token(
                *parts, attn.num_heads, rotary, [(attn.q_norm, attn.k_norm)], bias
            )
            scale = getattr(getattr(block, "ls1", block), "gamma", getattr(block, "gamma_1", None))
            inner = getattr(attn, "norm", None)
            inner = None if isinstance(inner, nn.Identity) else inner
            yield (
                Oracle.added(mixed, inner, attn.proj, block.norm1 if post else None, scale),
                last[0],
            )

    @staticmethod
    def of_patches(terms: Tensor, last: Tensor, norm: Any, pooled: str, n_skipped: int) -> Tensor:
        """Pool terms [batch, query, token, d] as the tower pools its tokens: [batch, token, d]."""
        if pooled == "token":
            return Oracle.divided(norm, terms[:, 0], last[:, 0])
        if pooled == "mean, then norm":
            return Oracle.divided(
                norm, terms[:, n_skipped:].mean(dim=1), last[:, n_skipped:].mean(dim=1)
            )
        return Oracle.divided(norm, terms, last)[:, n_skipped:].mean(dim=1)

    @staticmethod
    def agree(tower: Any, images: Tensor, visual: Any, expected: Tensor) -> None:
        """Compare patches with one another; what they have in common is tested with the sum."""
        answer = visual(images)
        embedding = answer[0] if isinstance(answer, tuple) else answer
        found = token_map(tower, images, fold(tower, Convention.REFERENCE)).tokens.flatten(1, 2)
        expected = expected[:, -found.shape[1] :] / embedding.norm(dim=-1)[:, None, None]
        difference = (found - expected) - (found - expected).mean(dim=1, keepdim=True)
        assert difference.abs().max() <= 1e-10 * expected.abs().max()
        assert (expected - expected.mean(dim=1, keepdim=True)).abs().max() > 1e-4

    @staticmethod
    def check_timm(visual: Any, tower: Any, images: Tensor, pooled: str) -> None:
        """Compare a timm transformer's map with its definition."""
        trunk = visual.trunk
        norm = trunk.fc_norm if isinstance(trunk.norm, nn.Identity) else trunk.norm
        linear = visual.head.proj if hasattr(visual.head, "proj") else trunk.head
        none = isinstance(linear, nn.Identity)
        project = torch.eye(trunk.num_features).double() if none else linear.weight.mT
        total = sum(
            Oracle.of_patches(*layer, norm, pooled, trunk.num_prefix_tokens)
            for layer in Oracle.timm_terms(visual, images)
        )
        Oracle.agree(tower, images, visual, total @ project)


@pytest.fixture(scope="session")
def oracle() -> type[Oracle]:
    """Return the slow definition of every family."""
    return Oracle


@pytest.fixture(scope="session")
def image_tower() -> Callable[..., Any]:
    """Return an image tower by its name in the tests and its type, not to be changed."""
    return _built


@pytest.fixture(scope="session")
def images_for() -> Callable[..., Tensor]:
    """Make preprocessed images for an adapted tower."""

    def make(tower: Any, n: int = 2) -> Tensor:
        noise = torch.randn(n, 3, *tower.image_size, generator=torch.Generator().manual_seed(2))
        return noise.to(tower.blocks[0].out_weight)

    return make
