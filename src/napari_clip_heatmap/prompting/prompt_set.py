"""A named list of prompts, as a file to save, share and drop onto the viewer.

YAML holds everything, examples too. CSV has a column ``prompt`` and optionally ``colormap``,
separated by commas, semicolons or tabs. TXT has one prompt per line; lines that begin with ``#``
are comments.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    field_validator,
    model_validator,
)

from napari_clip_heatmap.errors import PromptError, shorten, shown_value
from napari_clip_heatmap.prompting.example import Example
from napari_clip_heatmap.prompting.language import MOST_PROMPTS, parse_prompt, parse_templates

__all__ = [
    "SUFFIXES",
    "Entry",
    "PromptSet",
    "find_set",
    "first_fault",
    "load_set",
    "save_set",
    "shipped_set",
    "shipped_sets",
]

LARGEST = 2**20
"""Bytes; a larger file is no set of prompts."""

_DEEPEST = 20
"""Levels of nesting in YAML; a set has three."""

_SEPARATORS = (",", ";", "\t")

_STRICT = ConfigDict(frozen=True, extra="forbid")


def _as_example(value: object) -> Example | None:
    return value if value is None or isinstance(value, Example) else Example.restore(value)


_Example = Annotated[
    Any,  # pydantic would look into the fields of an Example, whose arrays it does not know
    PlainValidator(_as_example),
    PlainSerializer(lambda each: None if each is None else each.describe()),
]


class Entry(BaseModel):
    """One prompt of a set, in words or as an example."""

    model_config = _STRICT

    prompt: str
    """Its words, or the name of the example."""
    colormap: str = ""
    """A napari colormap for its layer; empty for the default."""
    example: _Example = None

    @model_validator(mode="before")
    @classmethod
    def _named_by_example(cls, values: Any) -> Any:
        """Take the name of the example where no other is given, and refuse another."""
        if not isinstance(values, Mapping) or values.get("example") is None:
            return values
        example = _as_example(values["example"])
        name = values.get("prompt", example.name if example else "")
        if example is None or name != example.name:
            raise PromptError(f"the prompt {shown_value(name)} has an example of another name")
        return {**values, "prompt": name, "example": example}

    @property
    def row(self) -> str | Example:
        """What `Encoding.heatmaps` takes: the words, or the example."""
        example: Example | None = self.example
        return self.prompt if example is None else example

    @field_validator("prompt")
    @classmethod
    def _readable(cls, text: str) -> str:
        return parse_prompt(text).text

    @field_validator("colormap")
    @classmethod
    def _without_blanks(cls, text: str) -> str:
        return text.strip()


class PromptSet(BaseModel):
    """Prompts that belong together, in order."""

    model_config = _STRICT

    name: str = ""
    description: str = ""
    templates: str | tuple[str, ...] = "plain"
    prompts: Annotated[tuple[Entry, ...], Field(min_length=1, max_length=MOST_PROMPTS)]

    @property
    def lines(self) -> tuple[str, ...]:
        """The text of each prompt; of an example its name."""
        return tuple(entry.prompt for entry in self.prompts)

    @property
    def rows(self) -> tuple[str | Example, ...]:
        """Each prompt as `Encoding.heatmaps` takes it: words, or an example."""
        return tuple(entry.row for entry in self.prompts)

    @field_validator("templates")
    @classmethod
    def _usable(cls, templates: str | tuple[str, ...]) -> str | tuple[str, ...]:
        parse_templates(templates)
        return templates

    @field_validator("prompts", mode="before")
    @classmethod
    def _from_words(cls, prompts: object) -> object:
        """Accept a bare string as a prompt without a colormap."""
        if not isinstance(prompts, list | tuple):
            return prompts
        return [{"prompt": each} if isinstance(each, str) else each for each in prompts]


def load_set(path: Path) -> PromptSet:
    """Read a set of prompts.

    Parameters
    ----------
    path : Path
        Ends in .yaml, .yml, .csv or .txt.

    Raises
    ------
    PromptError
        The file cannot be read or is no set; the message names the file and the place in it.
    """
    if not isinstance(path, str | PathLike):
        raise PromptError(
            f"the file is {shown_value(path)}; accepted: the path of a set of prompts"
        )
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise PromptError(f"{_name(path)} is no set of prompts; accepted: {', '.join(SUFFIXES)}")
    try:
        if path.stat().st_size > LARGEST:
            raise PromptError(
                f"{_name(path)} has more than {LARGEST // 2**20} MB, which is no set of prompts"
            )
        content = read(path.read_text(encoding="utf-8-sig"))  # spreadsheets write the mark
        named = {"name": path.stem} | content
        return PromptSet.model_validate(named | {"name": named["name"] or path.stem})
    except OSError as error:
        raise PromptError(f"{_name(path)} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{_name(path)} is not text in UTF-8; save it as UTF-8") from error
    except ValidationError as error:
        raise PromptError(f"{_name(path)} is no set of prompts: {first_fault(error)}") from error
    except (yaml.YAMLError, csv.Error, RecursionError, ValueError) as error:
        reason = shorten(" ".join(str(error).split()), 200)
        raise PromptError(f"{_name(path)} cannot be understood: {reason}") from error


def save_set(prompts: PromptSet, path: Path) -> None:
    """Write a set of prompts; CSV and TXT leave out what they have no place for.

    Raises
    ------
    PromptError
        The file cannot be written, its ending is unknown, or it has no place for an example.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise PromptError(
            f"{_name(path)} has no ending of a set of prompts; accepted: {', '.join(SUFFIXES)}"
        )
    examples = [entry.prompt for entry in prompts.prompts if entry.example is not None]
    if examples and write is not _to_yaml:
        raise PromptError(
            f"{_name(path)} has no place for the example '{shorten(examples[0])}', which would be "
            "read as words; save the set as .yaml"
        )
    try:
        path.write_text(write(prompts), encoding="utf-8", newline="")
    except OSError as error:
        raise PromptError(f"{_name(path)} cannot be written ({error.strerror or error})") from error


def shipped_sets() -> tuple[str, ...]:
    """Return the names of the sets that come with the package."""
    found = _shipped().iterdir()
    return tuple(sorted(each.name.removesuffix(".yaml") for each in found))


def shipped_set(name: str) -> PromptSet:
    """Return a set that comes with the package.

    Raises
    ------
    PromptError
        There is no set of that name.
    """
    if name not in shipped_sets():
        raise PromptError(
            f"there is no set of prompts {shown_value(name)}; accepted: "
            f"{', '.join(shipped_sets())}, or a file that ends in {', '.join(SUFFIXES)}"
        )
    text = _shipped().joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return PromptSet.model_validate(_from_yaml(text))


def find_set(name: str) -> PromptSet:
    """Return the set of a file, or one that comes with the package.

    Raises
    ------
    PromptError
        There is neither.
    """
    return load_set(Path(name)) if Path(name).suffix.lower() in SUFFIXES else shipped_set(name)


def _shipped() -> Any:
    return files("napari_clip_heatmap.prompting").joinpath("sets")


def _name(path: Path) -> str:
    return f"'{shorten(str(path), 120)}'"


def first_fault(error: ValidationError) -> str:
    """Return what is wrong first, and where, in one line."""
    fault = error.errors(include_url=False, include_context=False)[0]
    where = " ".join(str(each + 1) if isinstance(each, int) else each for each in fault["loc"])
    message = shorten(fault["msg"].removeprefix("Value error, "), 250)
    return f"{shorten(where)}: {message}" if where else message


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc] # yaml ships no types
    """Loads YAML without aliases, which may refer to themselves or multiply without end."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases, and nesting deeper than any set has."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name); write the text out instead")
        self.depth = getattr(self, "depth", 0) + 1
        if self.depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {_DEEPEST} levels deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _from_yaml(text: str) -> dict[str, Any]:
    content = yaml.load(text, _PlainLoader)
    if isinstance(content, list):
        return {"prompts": content}
    if not isinstance(content, dict):
        raise yaml.YAMLError("a list of prompts was expected, or a mapping with 'prompts'")
    unnamed = [key for key in content if not isinstance(key, str)]
    if unnamed:
        raise yaml.YAMLError(f"the key {shown_value(unnamed[0])} is not text")
    return content


def _from_csv(text: str) -> dict[str, Any]:
    head = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=separator, strict=True)
    columns = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    if columns.count("prompt") != 1:
        raise csv.Error("the first line must name the columns, and exactly one of them 'prompt'")
    rows.fieldnames = columns
    entries = []
    for row in rows:
        if None in row:
            raise csv.Error(
                f"line {rows.line_num} has more than {len(columns)} columns; put text with "
                f"'{separator}' in double quotes"
            )
        entries.append({key: value for key, value in row.items() if value and value.strip()})
    return {"prompts": [entry for entry in entries if entry]}


def _from_txt(text: str) -> dict[str, Any]:
    lines = (line.strip() for line in text.splitlines())
    return {"prompts": [line for line in lines if line and not line.startswith("#")]}


class _QuotingDumper(yaml.SafeDumper):  # type: ignore[misc] # yaml ships no types
    """Escapes characters that are not printable: a rare line break would be read as a space."""

    def represent_str(self, text: str) -> Any:
        """Quote text that holds them."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_QuotingDumper.add_representer(str, _QuotingDumper.represent_str)


def _to_yaml(prompts: PromptSet) -> str:
    content = prompts.model_dump(mode="json", exclude_defaults=True)
    content["prompts"] = [
        entry["prompt"] if list(entry) == ["prompt"] else entry for entry in content["prompts"]
    ]
    text: str = yaml.dump(
        content, Dumper=_QuotingDumper, sort_keys=False, allow_unicode=True, width=1000
    )
    return text


def _to_csv(prompts: PromptSet) -> str:
    table = io.StringIO()
    writer = csv.DictWriter(table, ["prompt", "colormap"])
    writer.writeheader()
    writer.writerows(entry.model_dump(exclude={"example"}) for entry in prompts.prompts)
    return table.getvalue()


def _to_txt(prompts: PromptSet) -> str:
    return "".join(f"{entry.prompt}\n" for entry in prompts.prompts)


_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    ".yaml": _from_yaml,
    ".yml": _from_yaml,
    ".csv": _from_csv,
    ".txt": _from_txt,
}
_WRITERS: Mapping[str, Callable[[PromptSet], str]] = {
    ".yaml": _to_yaml,
    ".yml": _to_yaml,
    ".csv": _to_csv,
    ".txt": _to_txt,
}
SUFFIXES = tuple(_READERS)
