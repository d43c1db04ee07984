"""TextSpan, against a slow and literal one that follows the authors' algorithm step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import Cancelled, OutputError, SettingsError
from napari_clip_heatmap.pipeline.explanation import head_words
from napari_clip_heatmap.pipeline.explanation.head_words import (
    describe_heads,
    head_words_of,
    span_words,
)

WORDS = [f"word {number}" for number in range(30)]


def literally(samples: np.ndarray, words: np.ndarray, count: int, rank: int = 80) -> Any:
    """Algorithm 1 of arXiv 2310.05916 with loops, and the variance that is left after each word."""
    _, sizes, rows = np.linalg.svd(samples)
    kept = [row for row, size in zip(rows, sizes, strict=False) if size > 1e-5 * sizes[0]][:rank]
    projected = []
    for word in words:
        inside = np.zeros(len(word))
        for row in kept:
            inside += (word @ row) * row
        projected.append(inside)
    mean = sum(samples) / len(samples)
    left = [sample - mean for sample in samples]
    total = sum(float(sample @ sample) for sample in left)
    chosen, explained = [], []
    for _ in range(count):
        spreads = []
        for word in projected:
            products = [float(sample @ word) for sample in left]
            middle = sum(products) / len(products)
            spreads.append(sum((each - middle) ** 2 for each in products) / (len(products) - 1))
        best = max(range(len(words)), key=spreads.__getitem__)
        if spreads[best] < 1e-12 * total:
            break
        chosen.append(best)
        along = projected[best].copy()
        left = [sample - (sample @ along) / (along @ along) * along for sample in left]
        projected = [word - (word @ along) / (along @ along) * along for word in projected]
        explained.append(1 - sum(float(sample @ sample) for sample in left) / total)
    return chosen, explained


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n_samples=st.integers(3, 40), rank=st.integers(1, 12))
def test_words_and_explained_variance_are_those_of_the_algorithm(
    seed: int, n_samples: int, rank: int
) -> None:
    random = np.random.default_rng(seed)
    samples = random.normal(size=(n_samples, rank)) @ random.normal(size=(rank, 12)) + 3
    words = random.normal(size=(20, 12))
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    chosen, explained = span_words(samples, words, 5)
    expected, fractions = literally(samples, words, 5)
    assert chosen == expected
    np.testing.assert_allclose(explained, fractions, atol=1e-5)
    assert (np.diff([0, *explained]) >= -1e-9).all()


def pictures(n: int) -> list[np.ndarray]:
    random = np.random.default_rng(4)
    return [random.integers(0, 256, (40, 60, 3), dtype=np.uint8) for _ in range(n)]


def test_heads_of_a_model_get_the_words_of_their_contributions(tiny_model: Any) -> None:
    images = pictures(4)
    found = describe_heads(tiny_model, images, WORDS, count=4)
    # The contributions of every head, from the full decomposition of every tile.
    samples = []
    for image in images:
        encoding = nch.encode(tiny_model, image)
        for tile in encoding.tiles:
            rows, columns = (
                range(each.pixels(at).start, each.pixels(at).stop)
                for each, at in zip((encoding.lattice.y, encoding.lattice.x), tile, strict=True)
            )
            seen = image[np.ix_(mirror(rows, 40), mirror(columns, 60))].astype(np.float32) / 255
            parts = nch.decompose(tiny_model, tiny_model.preprocess(seen[None]))
            samples.append(parts.attention[0].sum(dim=1))
    stacked = torch.stack(samples).double().numpy()
    text = tiny_model.encode_text(WORDS).double().numpy()
    assert found.n_tiles == len(stacked)
    for layer in range(3):
        for head in range(4):
            chosen, explained = literally(stacked[:, layer, head], text, 4)
            assert found.words[layer][head] == tuple(WORDS[number] for number in chosen)
            np.testing.assert_allclose(found.explained[layer][head], explained, atol=1e-5)


def mirror(positions: range, length: int) -> list[int]:
    folded = [position % (2 * length) for position in positions]
    return [min(each, 2 * length - 1 - each) for each in folded]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(head_words, "data_root", lambda: tmp_path)
    return tmp_path


def test_words_are_kept_for_each_model(folder: Path, tiny_model: Any) -> None:
    assert head_words_of(tiny_model.weights_sha256) is None
    found = describe_heads(tiny_model, pictures(2), [*WORDS, " word 3 ", ""], count=2)
    assert found.n_words == 30
    path = found.save()
    assert path.parent == folder / "heads"
    again = head_words_of(tiny_model.weights_sha256)
    assert again is not None
    assert again.words == found.words
    np.testing.assert_allclose(again.explained, found.explained, atol=1e-6)
    assert repr(again) == repr(found)
    assert head_words_of("0" * 64) is None
    path.write_text(json.dumps({"heads": []}), encoding="utf-8")
    with pytest.raises(SettingsError, match="clip-heatmap heads again"):
        head_words_of(tiny_model.weights_sha256)
    (folder / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="could not be written"):
        found.save(folder / "file" / "words.json")


def test_too_little_to_choose_from_is_refused(tiny_model: Any) -> None:
    with pytest.raises(SettingsError, match="1 words were given"):
        describe_heads(tiny_model, pictures(4), ["nuclei", "nuclei "])
    with pytest.raises(SettingsError, match="at least 8"):
        describe_heads(tiny_model, pictures(4), WORDS, tiles_per_image=1)
    with pytest.raises(SettingsError, match="count"):
        describe_heads(tiny_model, pictures(4), WORDS, count=0)
    with pytest.raises(Cancelled):
        describe_heads(tiny_model, pictures(4), WORDS, cancelled=lambda: True)
