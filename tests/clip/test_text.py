from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.clip import text as text_module
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.text import (
    TextEncoder,
    configured_tokenizer,
    plain_tokenizer,
    text_tower,
)
from napari_clip_heatmap.errors import ModelLoadError, PromptError

WORDS = st.sampled_from(["nuclei", "actin", "a", "cell,", "Mitochondria", "x-ray", "🔬", "ß"])


def encoder(model: Any, **options: Any) -> TextEncoder:
    return TextEncoder(text_tower(model), lambda: plain_tokenizer(model), d_embed=24, **options)


@settings(max_examples=20, deadline=None)
@given(prompts=st.lists(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), min_size=1))
def test_a_direction_is_a_unit_vector_and_knows_its_prompt_alone(
    tiny_clip: Any, tiny_model: ClipModel, prompts: list[str]
) -> None:
    directions = encoder(tiny_clip).encode(prompts)
    assert directions.shape == (len(prompts), 24)
    assert directions.dtype == torch.float32
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(len(prompts)))
    for prompt, direction in zip(prompts, directions, strict=True):
        torch.testing.assert_close(tiny_model.encode_text([prompt])[0], direction)


def test_it_is_the_models_own_answer(tiny_clip: Any) -> None:
    prompts = ["nuclei", "a photo of a cell"]
    tokens = plain_tokenizer(tiny_clip)(prompts)
    with torch.no_grad():
        expected = tiny_clip.encode_text(tokens, normalize=True)
    torch.testing.assert_close(encoder(tiny_clip).encode(prompts), expected)


def test_each_prompt_is_encoded_once(tiny_clip: Any) -> None:
    seen: list[str] = []

    def tokenizer(texts: list[str]) -> torch.Tensor:
        seen.extend(texts)
        return plain_tokenizer(tiny_clip)(texts)

    text = TextEncoder(text_tower(tiny_clip), lambda: tokenizer, d_embed=24)
    first = text.encode(["a", "b", "a"])
    second = text.encode(["b", "c", "a"])
    assert seen == ["a", "b", "c"]
    assert torch.equal(first[0], first[2])
    assert torch.equal(first[1], second[0])


def test_it_needs_no_image_tower_and_leaves_the_model_whole(tiny_clip: Any) -> None:
    tower = text_tower(tiny_clip)
    assert not any(name.startswith("visual") for name, _ in tower.named_parameters())
    assert isinstance(tiny_clip.visual, torch.nn.Module)
    assert tower.token_embedding.weight is tiny_clip.token_embedding.weight


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "no prompts"),
        (["nuclei", "  \t"], "Prompt 2 is blank"),
        ([""], "Prompt 1 is blank"),
        (["nuclei", None], "Prompt 2 is None, which is not a text"),
        ("nuclei", "list of texts"),
    ],
)
def test_what_is_no_prompt_is_refused(tiny_model: ClipModel, prompts: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        tiny_model.encode_text(prompts)


@pytest.mark.parametrize(
    ("n_words", "unread"),
    [(1, 0), (14, 0), (15, 1), (40, 26)],  # context 16: start, 14 words of one token, end
)
def test_words_beyond_the_context_are_reported(
    tiny_model: ClipModel, n_words: int, unread: int
) -> None:
    words = [f"cell{'s' * (n % 2)}" for n in range(n_words)]
    assert tiny_model.text.unread_words(" ".join(words)) == tuple(words[n_words - unread :])


def test_a_long_prompt_runs(tiny_model: ClipModel) -> None:
    long = "nuclei " * 300
    torch.testing.assert_close(
        tiny_model.encode_text([long]), tiny_model.encode_text(["nuclei " * 20])
    )


def test_unknown_words(tiny_clip: Any) -> None:
    text = encoder(tiny_clip, vocabulary=frozenset({"red", "blood", "cell", "a"}))
    assert text.unknown_words("A red-blood cell.") == ()
    assert text.unknown_words("a Ribosome (ribosome), 🔬 cell") == ("ribosome", "🔬")
    assert encoder(tiny_clip).unknown_words("ribosome") == ()


def test_another_vocabulary_asks_for_its_tokenizer(tiny_clip: Any) -> None:
    class Other(torch.nn.Module):
        vocab_size, context_length = 32000, 64

    with pytest.raises(ModelLoadError, match="tokenizer=") as caught:
        plain_tokenizer(Other())
    assert "32000" in str(caught.value)


class _Lost(torch.nn.Module):
    """A text tower on a card that is gone."""

    def parameters(self, recurse: bool = True) -> Any:
        return iter([SimpleNamespace(device=torch.device("cuda:0"))])

    def encode_text(self, tokens: Any) -> Any:
        raise RuntimeError("CUDA error: lost")


def test_a_device_that_fails_is_left(tiny_clip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_, **__: self)
    texts, failures = encoder(tiny_clip), []
    expected = texts.encode(["cell"])
    texts.replace_tower(_Lost())

    def fall_back(what: str) -> None:
        failures.append(what)
        texts.replace_tower(text_tower(tiny_clip))

    texts.on_device_failure = lambda: fall_back
    torch.testing.assert_close(texts.encode(["cell", "cell debris"])[:1], expected)
    assert failures == ["failed (CUDA error: lost)"]
    texts.replace_tower(_Lost())
    texts.on_device_failure = lambda: (
        None
    )  # the model is gone, and so is what it would have been read from
    with pytest.raises(RuntimeError, match="lost"):
        texts.encode(["debris"])


def test_code_that_comes_with_a_tokenizer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **options: object) -> None:
        pytest.fail(f"transformers was given {options}")

    monkeypatch.setattr(text_module, "HFTokenizer", never)
    config = {"hf_tokenizer_name": "a/b", "tokenizer_kwargs": {"trust_remote_code": True}}
    with pytest.raises(ModelLoadError, match=r"'a/b' \(trust_remote_code\).*tokenizer=\.\.\."):
        configured_tokenizer(config)


def test_transformers_never_asks_whether_to_run_code(monkeypatch: pytest.MonkeyPatch) -> None:
    given_options: dict[str, object] = {}
    monkeypatch.setattr(
        text_module, "HFTokenizer", lambda name, **options: given_options.update(options)
    )
    config = {"hf_tokenizer_name": "a/b", "tokenizer_kwargs": {"clean": "canonicalize"}}
    configured_tokenizer({**config, "context_length": 16})
    assert given_options == {
        "context_length": 16,
        "tokenizer_mode": None,
        "trust_remote_code": False,
        "clean": "canonicalize",
    }


def test_a_few_prompts_take_one_thread_and_leave_the_others_their_number(
    tiny_clip: Any, monkeypatch: pytest.MonkeyPatch, set_threads: Callable[[int], None]
) -> None:
    set_threads(2)
    used: list[int] = []
    encode_text = tiny_clip.encode_text

    def counted(tokens: Any) -> Any:
        used.append(torch.get_num_threads())
        return encode_text(tokens)

    monkeypatch.setattr(tiny_clip, "encode_text", counted)
    one = encoder(tiny_clip).encode(["nuclei"])
    monkeypatch.setattr(text_module, "SMALL", 0)
    again = encoder(tiny_clip).encode(["nuclei"])
    assert used == [1, 2]
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as other:
        assert other.submit(torch.get_num_threads).result() == 2
    torch.testing.assert_close(one, again)
