"""Prompts to unit directions in the joint space, through the model's own tokenizer and text tower.

A direction depends on its prompt alone; scores in which prompts influence one another are made
elsewhere.
"""

from __future__ import annotations

import copy
import string
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from napari_clip_heatmap.clip.devices import describe_failure
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.errors import ModelLoadError, PromptError

__all__ = ["TextEncoder", "Tokenizer", "configured_tokenizer", "plain_tokenizer", "text_tower"]


Tokenizer = Callable[[list[str]], Tensor]
"""Texts to token numbers, [text, context]."""

BATCH = 32
"""Prompts that go through the text tower at once."""


def text_tower(model: nn.Module) -> nn.Module:
    """Return a shallow copy of an open_clip model without its image tower.

    It shares the text weights, and lets the image tower be freed. The model itself is not changed.
    """
    tower = copy.copy(model)
    tower.__dict__["_modules"] = {
        name: module for name, module in model._modules.items() if name != "visual"
    }
    return tower


class TextEncoder:
    """Encode prompts; each is encoded once.

    Parameters
    ----------
    tower : nn.Module
        Has ``encode_text(token numbers)``; see `text_tower`.
    make_tokenizer : callable
        Makes the model's tokenizer; called at the first prompt, so that one that is missing stops
        no image.
    d_embed : int
        Size of the joint space.
    vocabulary : set of str, optional
        Lower-case words the model was trained on, where that is known.

    Attributes
    ----------
    on_device_failure : callable() -> callable(str) or None
        What to call, with what the device did, so that `go_on_with` gives a tower that works.
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
        # While a user types, maps and verdicts are made in threads of their own; some tokenizers
        # fail when two use them at once.
        self._lock = threading.RLock()
        self.d_embed = d_embed
        self.on_device_failure: Callable[[], Callable[[str], None] | None] = lambda: None

    @property
    def logit_scale(self) -> float:
        """Factor from cosine to logit, as the model was trained."""
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
            In the order of the prompts; a dot product with a unit image embedding is a cosine.

        Raises
        ------
        PromptError
            There is none, or one is blank or no text.
        """
        wanted = _checked(prompts)
        with self._lock:
            new = [p for p in dict.fromkeys(wanted) if p not in self._directions]
            for start in range(0, len(new), BATCH):
                few = new[start : start + BATCH]
                self._directions.update(zip(few, self._encode(few), strict=True))
        return torch.stack([self._directions[prompt] for prompt in wanted])

    def unread_words(self, prompt: str) -> tuple[str, ...]:
        """Return the words at the end of a prompt that lie beyond the model's context length."""
        (text,) = _checked([prompt])
        with self._lock:
            if text not in self._unread:
                self._unread[text] = self._find_unread(text)
            return self._unread[text]

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """Return the words that the model never met in training, where its vocabulary is known."""
        if not self._vocabulary:
            return ()
        words = prompt.lower().replace("-", " ").split()
        stripped = (word.strip(string.punctuation) for word in words)
        return tuple(
            dict.fromkeys(word for word in stripped if word and word not in self._vocabulary)
        )

    def go_on_with(self, tower: nn.Module) -> None:
        """Use the same weights at another place from now on."""
        self._tower = tower

    def _find_unread(self, prompt: str) -> tuple[str, ...]:
        words = prompt.split()
        whole = self._tokens([prompt])
        first, last = 1, len(words)
        while first < last:  # the fewest words that read the same as all of them
            middle = (first + last) // 2
            if torch.equal(self._tokens([" ".join(words[:middle])]), whole):
                last = middle
            else:
                first = middle + 1
        return tuple(words[first:])

    def _encode(self, prompts: list[str]) -> Tensor:
        tokens = self._tokens(prompts)
        try:
            return self._passed(tokens)
        except RuntimeError as error:
            rescue = self.on_device_failure()
            if self._device.type == "cpu" or rescue is None:
                raise
            failure = describe_failure(error)
        rescue(failure)
        return self._passed(tokens)

    def _passed(self, tokens: Tensor) -> Tensor:
        with torch.no_grad(), eval_mode(self._tower):
            vectors = self._tower.encode_text(tokens.to(self._device))
        return F.normalize(vectors.float(), dim=-1).cpu()

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self._tower.parameters()).device
        return device

    def _tokens(self, prompts: list[str]) -> Tensor:
        if self._tokenizer is None:
            self._tokenizer = self._make_tokenizer()
        return self._tokenizer(prompts)


def _checked(prompts: Sequence[str]) -> list[str]:
    if isinstance(prompts, str):
        raise PromptError(f"Prompts are a list of texts; got the one text {prompts!r}.")
    if not len(prompts):
        raise PromptError("There are no prompts; give at least one.")
    for number, prompt in enumerate(prompts, start=1):
        if not isinstance(prompt, str):
            raise PromptError(f"Prompt {number} is no text but {prompt!r}.")
        if not prompt.strip():
            raise PromptError(f"Prompt {number} is blank; write what to look for, or remove it.")
    return list(prompts)


CLIP_VOCABULARY = 49408
"""Entries of CLIP's own byte-pair vocabulary."""

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
        A Hugging Face tokenizer cannot be read, or the configuration wants its code to be run.
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
    if not name:
        plain: Tokenizer = SimpleTokenizer(context_length=length, **options)
        return plain
    local = folder is not None and any((folder / file).is_file() for file in _TOKENIZER_FILES)
    try:
        named: Tokenizer = HFTokenizer(
            str(folder) if local else name,
            context_length=length,
            tokenizer_mode=text_cfg.get("tokenizer_mode"),
            trust_remote_code=False,  # unset, transformers may ask on the terminal
            **options,
        )
    except (ImportError, OSError, ValueError) as error:
        raise ModelLoadError(
            f"The model's tokenizer {name!r} cannot be read: {error}. Put its files "
            "(tokenizer.json and the like) into the model folder, and install 'transformers'."
        ) from error
    return named


def plain_tokenizer(model: nn.Module) -> Tokenizer:
    """Return CLIP's own tokenizer for a ready model that has CLIP's own vocabulary.

    Raises
    ------
    ModelLoadError
        The vocabulary is another one.
    """
    tower: Any = getattr(model, "text", model)
    size, length = getattr(tower, "vocab_size", None), getattr(tower, "context_length", None)
    if size != CLIP_VOCABULARY or length is None:
        raise ModelLoadError(
            f"This model's vocabulary has {size} entries, not the {CLIP_VOCABULARY} of CLIP's own. "
            "Pass the tokenizer it was trained with: load_model(model, tokenizer=...)."
        )
    tokenizer: Tokenizer = SimpleTokenizer(context_length=length)
    return tokenizer
