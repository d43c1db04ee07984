"""Print docs/families.md: how exact each family is, what it costs, and what open_clip's list holds.

    python benchmarks/families.py > docs/families.md

Every architecture is open_clip's own, whole unless it says otherwise, with random weights, biases,
gains and statistics.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import open_clip
import torch
from interleaved import time_in_turns
from random_towers import CONCH, random_tower
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt, resized
from napari_clip_heatmap.clip.sources.build import refuse_unsupported
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.exactness import relative_error
from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.errors import UnsupportedModelError


@dataclass(frozen=True)
class Case:
    """An architecture of the table, and what it stands for.

    Parameters
    ----------
    arch : str
    what : str
    n_layers : int, optional
        Blocks kept, where the whole takes too much memory.
    """

    arch: str
    what: str
    n_layers: int | None = None


CASES = (
    Case("ViT-B-16", "class token (OpenAI, LAION, DataComp, DFN, MetaCLIP, QuiltNet, BioCLIP)"),
    Case("ViT-L-14-CLIPA", "mean of the patches, then norm (CLIPA)"),
    Case("coca_ViT-B-32", "CoCa's attentional pooling"),
    Case(CONCH, "CoCa's attentional pooling on a timm trunk"),
    Case("MobileCLIP-B", "timm trunk, linear head; convolutional stem (as BiomedCLIP without it)"),
    Case("ViTamin-S", "timm trunk, mean, then norm"),
    Case("vit_medium_patch16_gap_256", "timm trunk, norm, then mean: runs twice"),
    Case("EVA01-g-14", "norms before", 4),
    Case("EVA02-B-16", "rotary positions, inner norms"),
    Case("EVA02-L-14", "rotary positions, inner norms", 4),
    Case("EVA02-E-14", "norms after attention and MLP", 2),
    Case("ViT-B-16-SigLIP", "attention-pooling head"),
    Case("ViT-SO400M-14-SigLIP2", "attention-pooling head", 6),
    Case("PE-Core-B-16", "attention-pooling head, rotary positions, class token"),
    Case("RN50", "attention pool of the final map"),
    Case("convnext_base", "mean of the final map, then norm, linear head"),
    Case("convnext_large_d", "mean of the final map, then norm, MLP with its gates held"),
    Case("MobileCLIP2-S2", "mean of the final map, linear head (MobileCLIP-S)"),
    Case("MobileCLIP2-S4", "mean of the final map, linear head"),
    Case("swin_base_patch4_window7_224", "norm, then mean of the final map, linear head"),
    Case("vit_relpos_medium_patch16_cls_224", "class token, relative positions"),
)

TEXT = """# Families of image towers

What can be decomposed exactly, and what is refused. This page is printed by
`python benchmarks/families.py > docs/families.md` ({versions}).

Each family is one module of `src/napari_clip_heatmap/clip/families/`, found by itself. Whatever is
loaded, a probe image must show that its parts sum to what the model itself says, or the model is
refused: no map is ever silently wrong.

## How exact

The largest distance between the sum of all parts and the tower's own answer, relative to its
length, over both conventions, for two noise images; then the same with the input made 3 by 2
patches larger (positions interpolated), and the processor time of a token map over that of the
plain forward pass (one image, one thread, median of {rounds}; not for towers that were cut, whose
last layer weighs too much). Targets: 1e-5 in single precision (fp32), 1e-10 in double (fp64).

{table}

## What the layers of a family are

- `native`, `timm_vit`, `eva`, `eva_post_norm`, `relative_vit`: every layer and head of the
  transformer, and every token, as in the paper. Norms between the heads and the residual stream
  (EVA02's inner norm, EVA02-E's post-norm, open_clip's `scale_attn` and `scale_attn_inner`) are
  linear once their deviation is held at its actual value, as the last norm's is. Rotary and
  relative positions change how much is attended to, not what is taken.
- `attention_pool`, `coca`, `timm_coca`: the last tokens. Everything before the pooling is one step;
  the layer and the heads are the pooling's. The MLP of SigLIP's and PE-Core's pooling belongs to no
  token: it is in the part that no patch owns.
- `resnet`, `convnext`, `fastvit`, `swin`: the places of the final feature map, 32 pixels wide (64
  for MobileCLIP2-S3 and S4), in the same manner. What the mean of the map brings as a token of a
  ResNet's pool is given back to its places. An MLP between the mean and the embedding is linear
  once the gate of each of its units, `act(a) / a`, is held at its actual value.

## Another input size

`load_model(name, image_size=(448, 320))` interpolates the position embeddings, so that one pass
sees more patches. It is checked at loading like any model. The tower was not trained for it: the
maps are exact, of an embedding that may be worse.

## Register-like tokens

`load_model(name, outlier_factor=3)` leaves tokens out of the maps whose norm before the last layer
is over 3 times the median of their image; their neighbors' mean takes the place, and the total
stays exact. It is off by default: `benchmarks/outliers.py` finds none in the bundled model, and no
figures of a large one are at hand.

## All architectures of open_clip

{supported}

{refused}

Not on that list, and supported: BiomedCLIP (`timm_vit`); CONCH (`timm_coca`), from its authors'
checkpoint; of newer versions of open_clip, TIPSv2 (`timm_vit`) and SigLIP 2 NaFlex
(`attention_pool`), as far as the installed timm has their trunks.

Folders of the transformers library are read where they hold a CLIP, MetaCLIP 2 (`native`), SigLIP
or SigLIP 2 (`attention_pool`) of any size.
"""


def embed(visual: Any, images: Tensor) -> Tensor:
    """Return the tower's own answer."""
    answer = visual(images)
    return answer[0] if isinstance(answer, tuple) else answer


@torch.no_grad()
def largest_gap(visual: Any, dtype: torch.dtype) -> float:
    """Return the larger gap of both conventions."""
    tower = adapt(visual)
    noise = torch.randn(2, 3, *tower.image_size, generator=torch.Generator().manual_seed(1))
    images = noise.to(dtype)
    expected = embed(visual, images)
    return max(relative_error(tower, images, fold(tower, each), expected) for each in Convention)


@torch.no_grad()
def relative_time(visual: Any, rounds: int) -> float:
    """Return the processor time of a token map over that of a forward pass."""
    tower = adapt(visual)
    folded, image = fold(tower), torch.randn(1, 3, *tower.image_size)
    ways = {
        "forward": lambda: embed(visual, image),
        "map": lambda: token_map(tower, image, folded),
    }
    taken = time_in_turns(ways, rounds, "cpu")
    ratios = [one / other for one, other in zip(taken["map"], taken["forward"], strict=True)]
    return sorted(ratios)[len(ratios) // 2]


def row(case: Case, rounds: int) -> str:
    """Return a line of the table."""
    print(case.arch, file=sys.stderr)
    visual = random_tower(case.arch, case.n_layers)
    tower = adapt(visual)
    time = "" if case.n_layers else f"{relative_time(visual, rounds):.2f}"
    size = (
        (tower.grid[0] + 3) * tower.patch_size[0],
        (tower.grid[1] + 2) * tower.patch_size[1],
    )
    single, larger = largest_gap(visual, torch.float32), resized(visual, size)
    other = largest_gap(larger, torch.float32)
    double = largest_gap(visual.double(), torch.float64)
    cut = "" if case.n_layers is None else f", cut to {case.n_layers} layers"
    return (
        f"| `{tower.family}` | {case.arch}{cut} | {case.what} | {tower.n_layers} x {tower.n_heads} "
        f"| {tower.grid[0]} x {tower.grid[1]} | {single:.1e} | {double:.1e} | {other:.1e} "
        f"| {time} |"
    )


def listing() -> tuple[str, str]:
    """Return which architectures are supported, by family, and which are not, by reason."""
    families: dict[str, list[str]] = defaultdict(list)
    reasons: dict[str, list[str]] = defaultdict(list)
    for name in sorted(open_clip.list_models(), key=str.casefold):
        config = open_clip.get_model_config(name)
        try:
            tower = refuse_unsupported(config, origin=name)
        except UnsupportedModelError as error:
            reasons[_reason(str(error))].append(name)
        else:
            families[tower.family].append(name)
    refused = "Refused, and why:\n\n" + _lines(reasons, "{}") if reasons else "None is refused."
    return _lines(families, "`{}`"), refused


def _reason(message: str) -> str:
    """Keep of an error what is missing, without the advice after it."""
    return message.partition(". Supported families")[0].partition(". docs/")[0]


def _lines(groups: dict[str, list[str]], title: str) -> str:
    return "\n".join(
        f"- {title.format(group)} ({len(names)}): {', '.join(names)}"
        for group, names in sorted(groups.items())
    )


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    supported, refused = listing()
    head = (
        "| family | architecture | pooling, norms | layers x heads | patches | fp32 | fp64 "
        "| larger, fp32 | time |"
    )
    table = "\n".join([head, "|" + " --- |" * 9, *(row(case, rounds) for case in CASES)])
    versions = f"open_clip {open_clip.__version__}, torch {torch.__version__}"
    text = TEXT.format(
        versions=versions, rounds=rounds, table=table, supported=supported, refused=refused
    )
    print(text, end="")


if __name__ == "__main__":
    main()
