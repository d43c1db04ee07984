"""``run.yaml``: all settings of a job under the names of the command's options, to repeat it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_clip_heatmap.batch.whole_output import writing
from napari_clip_heatmap.errors import SettingsError, shorten

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.run_settings import RunSettings

__all__ = [
    "SETTINGS_FILE",
    "Command",
    "option_values",
    "read_settings_file",
    "write_settings_file",
]

Command = Literal["run", "encode", "prompt"]
"""The commands of which a job is made."""

SETTINGS_FILE = "run.yaml"

PROMPTS_FILE = "prompts.yaml"
"""The prompts of a job that has examples among them."""

_HEAD = """\
# All settings of this job. To repeat it, or to do it with other images or settings
# (options on the command line come before those of the file):
#     clip-heatmap {command} --config run.yaml
"""

_COMMAND = "command"
"""The line that says which command made the job."""

_OF_MAPS = frozenset(
    ("prompt", "prompts", "score", "baseline", "templates", "write", "format", "threshold")
)
"""Options of ``prompt``; ``encode`` has all the others of ``run``."""


def option_values(settings: RunSettings, command: Command = "run") -> dict[str, Any]:
    """Return settings by the names of the options of a command, without the defaults.

    Examples
    --------
    >>> option_values(RunSettings(("a.tif",), ("nuclei",), Path("out"), mpp=0.5))["mpp"]
    0.5
    """
    view, choice, colors = settings.view, settings.choice, settings.colors
    values: dict[str, Any] = {
        "inputs": [_absolute(each) for each in settings.inputs],
        "output": str(settings.output.resolve()),
        "prompt": list(settings.prompts),
        "recursive": settings.recursive,
        "model": settings.model,
        "device": settings.device,
        "precision": settings.precision,
        "score": settings.score,
        "baseline": list(settings.baseline),
        "templates": list(settings.templates),
        "downsample": settings.downsample,
        "mpp": settings.mpp,
        "quality": None if settings.quality == "standard" else settings.quality,
        "image-size": settings.image_size,
        "preprocess": settings.preprocess,
        "layers": ",".join(settings.layers),
        "heads": ",".join(settings.heads),
        "view": f"{view.limits[0]!r},{view.limits[1]!r}" if view.limits else view.mode,
        "page": choice.page,
        "series": choice.series,
        "channel": ",".join(
            [*map(str, choice.channels), *(f"{each.number}:{each.color}" for each in colors)]
        ),
        "time": choice.time,
        "z": choice.z,
        "inside": settings.inside,
        "write": ",".join(settings.write),
        "format": settings.format,
        "threshold": settings.threshold,
        "objects": settings.objects,
    }
    if view.limits is None and view.mode == "shown":
        del values["view"]
    if settings.examples:  # they are in no words: the prompts lie in a file of their own
        del values["prompt"]
        values["prompts"] = str((settings.output / PROMPTS_FILE).resolve())
    given = {name: value for name, value in values.items() if _is_given(value)}
    if command == "encode":
        return {name: value for name, value in given.items() if name not in _OF_MAPS}
    if command == "prompt":
        own = _OF_MAPS | {"output", "model"}
        asked = {name: value for name, value in given.items() if name in own}
        return {"encodings": given["inputs"], **asked}
    return given


def _is_given(value: Any) -> bool:
    """Return whether an option says something; the number 0 does, though it is equal to False."""
    return value is not False and value not in (None, "", [])


def write_settings_file(folder: Path, settings: RunSettings, command: Command = "run") -> None:
    """Write the settings of a job into its folder.

    Examples
    --------
    >>> write_settings_file(Path("results"), settings)  # doctest: +SKIP
    """
    import yaml

    from napari_clip_heatmap.prompting.prompt_set import Entry, PromptSet, save_set

    values = {_COMMAND: command, **option_values(settings, command)}
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    with writing(folder / SETTINGS_FILE) as draft:
        draft.write_text(_HEAD.format(command=command) + text, encoding="utf-8")
    if settings.examples:
        examples = {each.name: each for each in settings.examples}
        entries = tuple(
            Entry(prompt=prompt, example=examples.get(prompt)) for prompt in settings.prompts
        )
        save_set(PromptSet(name="prompts", prompts=entries), folder / PROMPTS_FILE)


def read_settings_file(
    path: Path, accepted: set[str], command: str | None = "run"
) -> dict[str, Any]:
    """Return what a file says, by the names of options.

    Parameters
    ----------
    path : Path
    accepted : set of str
        Names of options.
    command : str
        That they are options of.

    Raises
    ------
    SettingsError
        It is not there, is no YAML, is of another command, or names an option that there is not.

    Examples
    --------
    >>> read_settings_file(Path("run.yaml"), {"model"})  # doctest: +SKIP
    {'model': 'demo'}
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise SettingsError(
            f"'{shorten(path)}' cannot be read as settings ({shorten(reason)}); accepted: a "
            "run.yaml as a job writes it"
        ) from error
    if not isinstance(content, dict):
        raise SettingsError(f"'{shorten(path)}' holds no settings; accepted: lines 'option: value'")
    written_by = content.pop(_COMMAND, "run")
    if written_by != command:
        raise SettingsError(
            f"'{shorten(path)}' is of 'clip-heatmap {shorten(written_by, 20)}', and not of "
            f"'{command}'; repeat that job with 'clip-heatmap {shorten(written_by, 20)} --config'"
        )
    unknown = [name for name in content if name not in accepted]
    if unknown:
        raise SettingsError(
            f"'{shorten(path)}' has the option '{shorten(unknown[0], 40)}', which there is not; "
            f"accepted: {', '.join(sorted(accepted))}"
        )
    return content


def _absolute(text: str) -> str:
    return text if "://" in text else str(Path(text).absolute())
