"""Encode prompts as unit directions in the joint space, with the model's tokenizer and text tower.

A direction depends on its prompt alone; scores that compare prompts are computed elsewhere.
"""

from __future__ import annotations

import copy
import string
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from napari_clip_heatmap.clip.devices import describe_failure, single_threads
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.errors import ClipHeatmapError, ModelLoadError, PromptError, shorten

__all__ = ["TextEncoder", "Tokenizer", "configured_tokenizer", "plain_tokenizer", "text_tower"]


Tokenizer = Callable[[list[str]], Tensor]
"""Maps texts to token ids, [text, context]."""

BATCH = 32
"""Prompts per pass through the text tower."""

SMALL = 10_000_000
"""Weights of a text tower that takes milliseconds for a prompt in one thread of a CPU. Threads that
share such short operations wait for one another for far longer, as soon as another program or the
window needs a core."""

Result = TypeVar("Result")


def text_tower(model: nn.Module) -> nn.Module:
    """Return a shallow copy of an open_clip model without its image tower.

    The copy has the same text weights, so the image tower can be freed. The model is not changed.
    """
    tower = copy.copy(model)
    tower.__dict__["_modules"] = {
        name: module for name, module in model._modules.items() if name != "visual"
    }
    return tower


class TextEncoder:
    """Encodes prompts, each of them once.

    Parameters
    ----------
    tower : nn.Module
        Has ``encode_text(token ids)``; see `text_tower`.
    make_tokenizer : callable
        Creates the model's tokenizer. It is called at the first prompt, so that images can be
        encoded without one.
    d_embed : int
        Dimension of the joint space.
    vocabulary : set of str, optional
        Lower-case words of the model's training captions, if known.

    Attributes
    ----------
    on_device_failure : callable() -> callable(str) or None
        Returns a function to call when the device fails, with what it did; that function calls
        `replace_tower`. None if the model no longer exists.
    """

    def __init__(
        self,
        tower: nn.Module,
        make_tokenizer: Callable[[], Tokenizer],
        *,
        d_embed: int,
        vocabulary: frozenset[str] = frozenset(),
    ) -> None:
        self._tower: Any = tower
        self._make_tokenizer = make_tokenizer
        self._tokenizer: Tokenizer | None = None
        self._vocabulary = vocabulary
        self._directions: dict[str, Tensor] = {}
        self._unread: dict[str, tuple[str, ...]] = {}
        # Maps and verdicts are computed in several threads; some tokenizers are not thread-safe.
        self._lock = threading.RLock()
        self.d_embed = d_embed
        self.on_device_failure: Callable[[], Callable[[str], None] | None] = lambda: None

    @property
    def logit_scale(self) -> float:
        """Factor from cosine similarity to logit."""
        return float(self._tower.logit_scale.detach().exp())

    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Return the unit direction of each prompt.

        Parameters
        ----------
        prompts : sequence of str
            Duplicates are encoded once.

        Returns
        -------
        float32 tensor [prompt, d_embed], on the CPU
            In the order of the prompts; its dot product with a unit image embedding is the cosine.

        Raises
        ------
        PromptError
            There is no prompt, or one is blank or not a text.
        ModelLoadError
            The tokenizer cannot be loaded, or the text tower returns NaN.
        """
        wanted = _require_prompts(prompts)
        with self._lock:
            new = [p for p in dict.fromkeys(wanted) if p not in self._directions]
            for start in range(0, len(new), BATCH):
                batch = new[start : start + BATCH]
                self._directions.update(zip(batch, self._encode(batch), strict=True))
        return torch.stack([self._directions[prompt] for prompt in wanted])

    def unread_words(self, prompt: str) -> tuple[str, ...]:
        """Return the last words of a prompt if they exceed the model's context length."""
        (text,) = _require_prompts([prompt])
        with self._lock:
            if text not in self._unread:
                self._unread[text] = self._find_unread(text)
            return self._unread[text]

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """Return the words that are not in the model's training captions, where these are known."""
        if not self._vocabulary:
            return ()
        words = prompt.lower().replace("-", " ").split()
        stripped = (word.strip(string.punctuation) for word in words)
        return tuple(
            dict.fromkeys(word for word in stripped if word and word not in self._vocabulary)
        )

    def in_one_thread(self, work: Callable[[], Result]) -> Result:
        """Run work that encodes a prompt or two where torch splits no operation among threads.

        Of a large tower, or one that is not on the CPU, it runs as it is.
        """
        return self._in_one_thread("work", work)

    def _in_one_thread(self, name: str, work: Callable[[], Result]) -> Result:
        if torch.get_num_threads() == 1 or self._device.type != "cpu" or self._size > SMALL:
            return work()
        return single_threads(name).submit(work).result()

    def replace_tower(self, tower: nn.Module) -> None:
        """Use another copy of the same weights from now on, such as one on another device."""
        self._tower = tower

    def _find_unread(self, prompt: str) -> tuple[str, ...]:
        words = prompt.split()
        whole = self._tokens([prompt])
        first, last = 1, len(words)
        while first < last:  # find the fewest words with the same tokens as all words
            middle = (first + last) // 2
            if torch.equal(self._tokens([" ".join(words[:middle])]), whole):
                last = middle
            else:
                first = middle + 1
        return tuple(words[first:])

    def _encode(self, prompts: list[str]) -> Tensor:
        tokens = self._tokens(prompts)
        try:
            return self._run_tower(tokens)
        except RuntimeError as error:
            fall_back = self.on_device_failure()
            if isinstance(error, ClipHeatmapError) or self._device.type == "cpu":
                raise
            if fall_back is None:
                raise
            failure = describe_failure(error)
        fall_back(failure)
        return self._run_tower(tokens)

    def _run_tower(self, tokens: Tensor) -> Tensor:
        if len(tokens) > 2:
            vectors = self._vectors(tokens)
        else:
            vectors = self._in_one_thread("text", lambda: self._vectors(tokens))
        length = torch.linalg.vector_norm(vectors, dim=-1)
        if not (length.isfinite() & (length > 0)).all():
            raise ModelLoadError(
                "The model's text tower returns zero, NaN or infinite values for a prompt, so its "
                "heatmaps would be NaN. Its weights are damaged or overflow; use another "
                "checkpoint."
            )
        return F.normalize(vectors, dim=-1).cpu()

    def _vectors(self, tokens: Tensor) -> Tensor:
        with torch.no_grad(), eval_mode(self._tower):
            vectors: Tensor = self._tower.encode_text(tokens.to(self._device)).float()
        return vectors

    @property
    def _size(self) -> int:
        return sum(weights.numel() for weights in self._tower.parameters())

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self._tower.parameters()).device
        return device

    def _tokens(self, prompts: list[str]) -> Tensor:
        if self._tokenizer is None:
            self._tokenizer = self._make_tokenizer()
        return self._tokenizer(prompts)


def _require_prompts(prompts: Sequence[str]) -> list[str]:
    if isinstance(prompts, str) or not isinstance(prompts, Iterable):
        raise PromptError(f"Prompts are a list of texts; got {shorten(repr(prompts))}.")
    texts = list(prompts)
    if not texts:
        raise PromptError("There are no prompts; give at least one.")
    for number, prompt in enumerate(texts, start=1):
        if not isinstance(prompt, str):
            raise PromptError(f"Prompt {number} is {shorten(repr(prompt))}, which is not a text.")
        if not prompt.strip():
            raise PromptError(f"Prompt {number} is blank; write what to look for, or remove it.")
    return texts


CLIP_VOCABULARY = 49408
"""Size of CLIP's own byte-pair vocabulary."""

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json")


def configured_tokenizer(text_cfg: Mapping[str, Any], folder: Path | None = None) -> Tokenizer:
    """Return the tokenizer that an open_clip text configuration names.

    Parameters
    ----------
    text_cfg : mapping
    folder : Path, optional
        Model folder; a Hugging Face tokenizer is read from it if its files are there.

    Raises
    ------
    ModelLoadError
        A Hugging Face tokenizer cannot be read, or the configuration asks to run its code.
    """
    length = text_cfg.get("context_length", 77)
    options = dict(text_cfg.get("tokenizer_kwargs") or {})
    name = text_cfg.get("hf_tokenizer_name")
    if options.pop("trust_remote_code", False):
        raise ModelLoadError(
            f"The model's configuration asks to run code that comes with its tokenizer {name!r} "
            "(trust_remote_code); only tensors and plain tokenizer files are read. Load the model "
            "yourself if you trust it, and pass it with its tokenizer: "
            "load_model(model, tokenizer=...)."
        )
    try:
        if not name:
            plain: Tokenizer = SimpleTokenizer(context_length=length, **options)
            return plain
        local = folder is not None and any((folder / file).is_file() for file in _TOKENIZER_FILES)
        named: Tokenizer = HFTokenizer(
            str(folder) if local else name,
            context_length=length,
            tokenizer_mode=text_cfg.get("tokenizer_mode"),
            trust_remote_code=False,  # unset, transformers may ask on the terminal
            **options,
        )
    except (ImportError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelLoadError(
            f"The model's tokenizer {shorten(repr(name))} cannot be loaded: {shorten(error, 200)}. "
            "Put its files (tokenizer.json and similar) into the model folder, and install "
            "'transformers'."
        ) from error
    return named


def plain_tokenizer(model: nn.Module) -> Tokenizer:
    """Return CLIP's own tokenizer for a model with a vocabulary of that size.

    Raises
    ------
    ModelLoadError
        The vocabulary has a different size.
    """
    tower: Any = getattr(model, "text", model)
    size, length = getattr(tower, "vocab_size", None), getattr(tower, "context_length", None)
    if size != CLIP_VOCABULARY or length is None:
        raise ModelLoadError(
            f"This model's vocabulary has {size} entries; CLIP's own has {CLIP_VOCABULARY}. Pass "
            "the tokenizer that the model was trained with: load_model(model, tokenizer=...)."
        )
    tokenizer: Tokenizer = SimpleTokenizer(context_length=length)
    return tokenizer
