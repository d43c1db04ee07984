"""An example: a direction made from places in an image, that stands where a prompt can stand."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.errors import PromptError, shorten, shown_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Example", "checked_example_name"]

_TEXTS = ("name", "model", "weights_sha256", "words", "recipe")
_COUNTS = ("positive", "negative")
_FIGURES = ("weight", "dependence", "background", "foreground", "spread")
_VECTORS = ("direction", "token")
_KEYS = (*_TEXTS, *_COUNTS, *_FIGURES, "leave_one_out", *_VECTORS)

_MOST_NUMBERS = 2**16
"""Numbers in a direction; a longer one belongs to no model."""


@dataclass(frozen=True, eq=False, repr=False)
class Example:
    """A unit direction made from places in an image, as `Encoding.example` returns it.

    It stands where a prompt can stand: ``encoding.heatmaps(["nuclei", example])``, for any image
    that the same model encoded. Its map is the product of the token map with its direction,
    whatever the score: the contrast is in the direction already.

    Parameters
    ----------
    name : str
        As a prompt, its maps, rows and layers are called by it.
    direction : float32 (d_embed,)
        Of length 1.
    model : str
        Name of the model whose tokens it was made from.
    weights_sha256 : str
        Hash of that model's weights: other weights refuse it.
    positive, negative : int
        Places, or patches of masks, that show the thing, and that do not.
    words : str
        Words that are mixed in; empty if none are.
    weight : float
        Weight of the places, from 0 (the words alone) to 1 (the places alone).
    recipe : str
        How the direction was computed.
    dependence : float
        How far the positive places stand out in the map of the places, over how far 19 of 20 random
        choices of places do at most: 1 or more for places that have something in common.
    leave_one_out : float or None
        AUROC of the places, each judged by an example made from the others; None with fewer than
        two of either kind.
    background, foreground : float
        Mean of the map over the image it was made from, and over its positive places.
    token : float32 (d_embed,)
        Mean token of the positive places, times the patches of a tile.
    spread : float
        Typical distance of a token of that image, so scaled, from their mean.

    Examples
    --------
    >>> example = encoding.example(positive=[(20, 30), (52, 41)], name="my vesicles")
    >>> example
    Example('my vesicles', positive=2, negative=0, model='demo')
    >>> maps = encoding.heatmaps(["nuclei", example])
    >>> maps.prompts
    ('nuclei', 'my vesicles')
    """

    name: str
    direction: NDArray[np.float32]
    model: str
    weights_sha256: str
    positive: int
    negative: int
    words: str
    weight: float
    recipe: str
    dependence: float
    leave_one_out: float | None
    background: float
    foreground: float
    token: NDArray[np.float32]
    spread: float

    def __post_init__(self) -> None:
        for name in _VECTORS:
            getattr(self, name).flags.writeable = False

    def __repr__(self) -> str:
        mixed = f", words={self.words!r}, weight={self.weight:g}" if self.words else ""
        return (
            f"Example({self.name!r}, positive={self.positive}, negative={self.negative}{mixed}, "
            f"model={self.model!r})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Example) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.name, self.weights_sha256, self.direction.tobytes()))

    def require_model(self, name: object, weights_sha256: object) -> None:
        """Raise unless these are the weights whose tokens the example was made from.

        Raises
        ------
        PromptError
            They are others.
        """
        if self.weights_sha256 != weights_sha256:
            raise PromptError(
                f"the example '{shorten(self.name, 60)}' was made with the model "
                f"'{shorten(self.model, 60)}' (weights {self.weights_sha256[:12]}...), and it was "
                f"given to the model '{shorten(name, 60)}' (weights {str(weights_sha256)[:12]}"
                "...): directions of one model mean nothing to another. Use the model it was made "
                "with, or make the example again with Encoding.example"
            )

    def describe(self) -> dict[str, Any]:
        """Return everything as JSON-able values; direction and token as text in base64.

        Examples
        --------
        >>> example.describe()["positive"]
        2
        """
        values = {key: getattr(self, key) for key in _KEYS}
        for key in _VECTORS:
            values[key] = base64.b64encode(values[key].astype("<f4").tobytes()).decode("ascii")
        return values

    @classmethod
    def restore(cls, record: object) -> Example:
        """Return the example of a record, as `describe` makes it.

        Raises
        ------
        PromptError
            Something is missing, unknown or damaged.

        Examples
        --------
        >>> nch.Example.restore(example.describe()) == example
        True
        """
        from napari_clip_heatmap.validation import integer, number

        if not isinstance(record, Mapping):
            raise PromptError(
                f"the example is {shown_value(record)}; accepted: a mapping as Example.save writes"
            )
        missing = [key for key in _KEYS if key not in record]
        unknown = [key for key in record if key not in _KEYS]
        if missing or unknown:
            what = f"has no '{missing[0]}'" if missing else f"has an unknown '{unknown[0]}'"
            raise PromptError(
                f"the example {what}; accepted: {', '.join(_KEYS)}. Make the example again"
            )
        values: dict[str, Any] = {key: _text(key, record[key]) for key in _TEXTS}
        values |= {key: integer(key, record[key], 0, 2**53, PromptError) for key in _COUNTS}
        values |= {key: number(key, record[key], error=PromptError) for key in _FIGURES}
        left = record["leave_one_out"]
        direction = _direction(record["direction"])
        return cls(
            **values,
            leave_one_out=None if left is None else number("leave_one_out", left, 0, 1),
            direction=direction,
            token=_token(record["token"], direction.size),
        )

    def save(self, path: str | Path) -> Path:
        """Write the example as YAML.

        Raises
        ------
        PromptError
            The file does not end in .yaml or .yml, or cannot be written.

        Examples
        --------
        >>> path = example.save("vesicles.yaml")
        """
        from napari_clip_heatmap.prompting.prompt_set import Entry, PromptSet, save_set

        target = _yaml_path(path)
        save_set(
            PromptSet(name=self.name, prompts=(Entry(prompt=self.name, example=self),)), target
        )
        return target

    @classmethod
    def load(cls, path: str | Path) -> Example:
        """Read an example that `save` wrote: a set of prompts that holds this one alone.

        Raises
        ------
        PromptError
            The file cannot be read, or holds no example or several prompts.

        Examples
        --------
        >>> nch.Example.load(example.save("vesicles.yaml")) == example
        True
        """
        from napari_clip_heatmap.prompting.prompt_set import load_set

        rows = load_set(_yaml_path(path)).rows
        if len(rows) != 1 or not isinstance(rows[0], Example):
            raise PromptError(
                f"'{shorten(str(path), 120)}' holds {len(rows)} prompts, and not one example "
                "alone; load it as a set of prompts"
            )
        return rows[0]


def checked_example_name(name: object) -> str:
    """Return a name for an example: the name of one thing, as it would stand in a prompt.

    Raises
    ------
    PromptError
        It is no text, is blank, or has the signs of the prompt language.
    """
    from napari_clip_heatmap.prompting.language import parse_prompt

    prompt = parse_prompt(name, "names of examples")
    if prompt.minus or len(prompt.names) > 1:
        raise PromptError(
            f"the name of the example is '{shorten(prompt.text)}', which reads as a prompt with "
            "synonyms or a contrast; accepted: a name without '|' and ' - '"
        )
    return prompt.text


def _yaml_path(path: str | Path) -> Path:
    target = Path(path)
    if target.suffix.lower() not in (".yaml", ".yml"):
        raise PromptError(
            f"'{shorten(str(path), 120)}' is no file for an example; accepted: a name that ends in "
            ".yaml"
        )
    return target


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise PromptError(f"the example's '{key}' is {shown_value(value)}; accepted: text")
    return checked_example_name(value) if key == "name" else value


def _direction(text: object) -> NDArray[np.float32]:
    import numpy as np

    direction = _numbers("direction", text)
    length = float(np.linalg.norm(direction.astype(np.float64))) if direction.size else 0.0
    if not (0 < direction.size <= _MOST_NUMBERS and abs(length - 1) < 1e-3):
        raise PromptError(
            f"the example's 'direction' has {direction.size} numbers and the length {length:.3g}; "
            "accepted: a direction of length 1. Make the example again"
        )
    return direction


def _token(text: object, size: int) -> NDArray[np.float32]:
    import numpy as np

    token = _numbers("token", text)
    if token.size != size or not np.isfinite(token).all():
        raise PromptError(
            f"the example's 'token' has {token.size} numbers; accepted: {size} finite ones, as "
            "many as its direction has. Make the example again"
        )
    return token


def _numbers(key: str, text: object) -> NDArray[np.float32]:
    import numpy as np

    try:
        raw = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        return np.frombuffer(raw, "<f4").astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise PromptError(
            f"the example's '{key}' is damaged ({shorten(error, 80)}); make the example again"
        ) from error
