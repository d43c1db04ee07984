"""The bundled model's shape, its compact vocabulary in training, and its folder on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file
from torch import Tensor

from training.captions import phrases, vocabulary
from training.configurations import configuration
from training.typos import typos

__all__ = ["MODEL_CONFIG", "PREPROCESS_CONFIG", "TextIds", "full_state", "save_folder"]

MODEL_CONFIG = configuration("base")
PREPROCESS_CONFIG: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


class TextIds:
    """Texts to token numbers, counting only the tokens that captions use.

    The full table has 49,408 rows, of which captions and their slips touch a few thousand. Training
    keeps just those; the folder on disk has the full table, in which the rows that were never
    trained are 0.
    """

    def __init__(self, context_length: int) -> None:
        self._tokenizer = SimpleTokenizer(context_length=context_length)
        mistyped = (typo for word in vocabulary() for typo in typos(word))
        used = set(self._tokenizer.encode(" ".join((*phrases(), *mistyped))))
        used |= {0, self._tokenizer.sot_token_id, self._tokenizer.eot_token_id}
        # Sorted, so that the end-of-text token stays the largest: open_clip pools at the maximum.
        self.used = torch.tensor(sorted(used))
        self._cache: dict[str, Tensor] = {}

    def __call__(self, texts: list[str]) -> Tensor:
        """Return compact token numbers, ``(text, context)``."""
        for text in texts:
            if text not in self._cache:
                full = self._tokenizer([text])[0]
                compact = torch.searchsorted(self.used, full)
                if not torch.equal(self.used[compact], full):
                    msg = f"The caption {text!r} has a token outside the vocabulary."
                    raise ValueError(msg)
                self._cache[text] = compact
        return torch.stack([self._cache[text] for text in texts])

    def compact_clip(self, config: dict[str, Any]) -> CLIP:
        """Build the model with a token table of just the used rows."""
        text = {**config["text_cfg"], "vocab_size": len(self.used)}
        return CLIP(**{**config, "text_cfg": text})

    def expand(self, table: Tensor, n_rows: int) -> Tensor:
        """Return the full token table, zero where nothing was trained."""
        full = table.new_zeros(n_rows, table.shape[1])
        full[self.used] = table
        return full


def full_state(
    clip: CLIP, scale: Tensor, ids: TextIds, config: dict[str, Any]
) -> dict[str, Tensor]:
    """Return the weights that open_clip loads: with the full token table and the logit scale."""
    state = {name: value.detach().cpu() for name, value in clip.state_dict().items()}
    table = state["token_embedding.weight"]
    state["token_embedding.weight"] = ids.expand(table, config["text_cfg"]["vocab_size"])
    state["logit_scale"] = scale.detach().cpu()
    return state


def save_folder(
    folder: Path, clip: CLIP, scale: Tensor, ids: TextIds, config: dict[str, Any]
) -> None:
    """Write what open_clip's ``local-dir:`` reads: configuration, weights, and the words known.

    Parameters
    ----------
    folder : Path
    clip : CLIP
        With a compact token table.
    scale : Tensor
        Logarithm of the factor from cosine similarity to logit.
    ids : TextIds
    config : dict
        Out of `CONFIGURATIONS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = full_state(clip, scale, ids, config)
    half = {name: value.half().contiguous() for name, value in state.items()}
    save_file(half, folder / "open_clip_model.safetensors")
    settings = {"model_cfg": config, "preprocess_cfg": PREPROCESS_CONFIG}
    (folder / "open_clip_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary()) + "\n")
