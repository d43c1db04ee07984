"""The text tower first: which captions go together, learnt from what they say alone.

If both towers start together, the texts of all structures fall into one while the image tower
cannot yet tell them apart, and then nothing pulls the pictures apart either: a long plateau. So the
text tower is taught before, with a linear map of a view's content in the place of the picture, and
then stays as it is (Zhai et al., "LiT", arXiv 2111.07991, lock the image tower; here it is the
text).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional as F

from napari_clip_heatmap.scenes.vocabulary import COLORS
from training.captions import TRUE, Content, caption_set, with_implied
from training.export import TextIds
from training.lexicon import LEXICON, MODALITY_SHOWS
from training.network import encode_texts
from training.objective import contrastive

__all__ = ["teach_language"]

_CONTENTS, _RATE, _SCALE, _ANCHOR = 200, 1e-3, 10.0, 3.0
_MODALITY_ODDS = np.sqrt([len(shown) for shown in MODALITY_SHOWS.values()])
_MODALITY_ODDS /= _MODALITY_ODDS.sum()
"""A kind that shows many classes is made up more often."""


def teach_language(
    clip: CLIP,
    ids: TextIds,
    seed: int,
    *,
    n_steps: int = 1000,
    anchor: Callable[[list[str]], Tensor] | None = None,
) -> float:
    """Train the text tower of ``clip`` in place; return the last loss.

    Parameters
    ----------
    clip, ids : CLIP, TextIds
    seed : int
        Of the contents that are made up.
    n_steps : int
    anchor : callable(list of str) -> Tensor (text, d_embed), optional
        Directions to stay near to, those of a model whose image tower is to learn on; NaN for texts
        that it does not know.
    """
    rng = np.random.default_rng(seed)
    device = clip.text_projection.device
    n_features, n_dims = len(_features(_imagine(rng))), clip.text_projection.shape[1]
    oracle = nn.Linear(n_features, n_dims, bias=False).to(device)
    tower = [p for name, p in clip.named_parameters() if not name.startswith("visual.")]
    optimizer = torch.optim.AdamW([*tower, *oracle.parameters()], weight_decay=0.01)
    loss = torch.zeros(())
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / 50, (n_steps - step) / (0.6 * n_steps))
        contents = [_imagine(rng) for _ in range(_CONTENTS)]
        captions, states = caption_set(rng, contents, extra=60)
        features = torch.stack([_features(content) for content in contents]).to(device)
        views = F.normalize(oracle(features), dim=-1)
        tokens = ids([caption.text for caption in captions]).to(device)
        texts = F.normalize(encode_texts(clip, tokens), dim=-1)
        loss = contrastive(_SCALE * views @ texts.T, torch.from_numpy(states).to(device))
        if anchor is not None:
            loss = loss + _ANCHOR * _distance(texts, anchor([c.text for c in captions]).to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def _distance(texts: Tensor, anchors: Tensor) -> Tensor:
    """Return the mean squared distance to the anchors there are; unknown ones are NaN."""
    known = ~anchors.isnan().any(1)
    return (texts[known] - anchors[known]).square().sum() / len(texts)


def _imagine(rng: np.random.Generator) -> Content:
    """Make up what a view could show."""
    modality = str(rng.choice(list(MODALITY_SHOWS), p=_MODALITY_ODDS))
    pool = list(dict.fromkeys(MODALITY_SHOWS[modality]))
    n_shown = min(len(pool), int(rng.choice(4, p=[0.12, 0.48, 0.25, 0.15])))
    weights = np.array([MODALITY_SHOWS[modality].count(name) for name in pool], float)
    shown = rng.choice(pool, n_shown, replace=False, p=weights / weights.sum()).tolist()
    coverage = {name: float(rng.uniform(0.02, 0.4)) for name in shown}
    is_colored = modality == "fluorescence" and rng.random() < 0.6
    colors = {name: str(rng.choice(list(COLORS))) for name in shown if is_colored}
    return Content(with_implied(dict.fromkeys(shown, TRUE)), coverage, colors, modality)


def _features(content: Content) -> Tensor:
    """Return the content as numbers: kind, presence, coverage and color of each class."""
    values = [float(content.modality == kind) for kind in MODALITY_SHOWS]
    values.append(float(not content.present))
    for name in LEXICON:
        values += [float(name in content.present), 3 * content.coverage.get(name, 0.0)]
        values += [float(content.colors.get(name) == color) for color in COLORS]
    return torch.tensor(values)
