"""MetaCLIP 2, whose folders are those of a CLIP that reads its prompts to another end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.errors import ModelLoadError

END = 90
"""Number of the end-of-text token, not the highest of the vocabulary."""


def numbers(after: int) -> Callable[[list[str]], Tensor]:
    """Stand for a tokenizer that fills up with a number after the end of the text."""
    return lambda texts: torch.tensor([[3, 14, 15, 9, END] + [after] * 11 for _ in texts])


def load(folder: Path, after: int, **entries: object) -> Any:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))
    return load_model(f"local-dir:{folder}", device="cpu", tokenizer=numbers(after))


def metaclip(folder: Path) -> dict[str, object]:
    text = json.loads((folder / "config.json").read_text())["text_config"]
    return {"model_type": "metaclip_2", "text_config": text | {"eos_token_id": END}}


def test_it_pools_at_the_first_end_of_text(transformers_folder: Path, batch: Tensor) -> None:
    clip = load(transformers_folder, after=0)  # pools at the highest number: the end, too
    other = load(transformers_folder, after=1000, **metaclip(transformers_folder))
    torch.testing.assert_close(other.encode_text(["cell"]), clip.encode_text(["cell"]))
    assert torch.equal(other.token_map(batch).tokens, clip.token_map(batch).tokens)
    astray = load(transformers_folder, after=1000, model_type="clip")
    assert (astray.encode_text(["cell"]) - clip.encode_text(["cell"])).abs().max() > 0.01


def test_its_own_tokenizer_is_read(
    transformers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def tokenizer(name: str, **options: Any) -> Callable[[list[str]], Tensor]:
        read.append(name)
        return numbers(0)

    monkeypatch.setattr("napari_clip_heatmap.clip.text.HFTokenizer", tokenizer)
    load(transformers_folder, 0, **metaclip(transformers_folder))
    load_model(f"local-dir:{transformers_folder}", device="cpu").encode_text(["cell"])
    assert read == [str(transformers_folder)]


def test_an_end_of_text_that_is_no_number(transformers_folder: Path) -> None:
    text = metaclip(transformers_folder)["text_config"]
    with pytest.raises(ModelLoadError, match="'eos_token_id' is 'x'"):
        load(
            transformers_folder,
            after=0,
            model_type="metaclip_2",
            text_config={**text, "eos_token_id": "x"},  # type: ignore[dict-item]
        )
