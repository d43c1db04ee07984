"""What every kind of output of an image has: the names of its files, planes one by one, an end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from napari_clip_heatmap.batch.whole_output import DRAFT, put_in_place, remove_path
from napari_clip_heatmap.files.file_names import unique_slugs

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, PlaneIndex
    from napari_clip_heatmap.batch.job_folder import JobImage
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult
    from napari_clip_heatmap.batch.run_settings import RunSettings

__all__ = ["ImageOutput", "OutputTarget", "Step", "plane_suffix", "write_plane"]

Step = Callable[[], object]
"""A part of the work on a plane that needs no other part."""

_AT_ONCE = 2
"""Steps of a large plane that are done side by side: each takes memory for its picture."""

_SHORT = {"time": "t", "z": "z", "page": "page"}


@dataclass(frozen=True, eq=False)
class OutputTarget:
    """Where the outputs of an image go.

    Parameters
    ----------
    folder : Path
        Of the job.
    image : JobImage
    opened : BatchImage
    settings : RunSettings

    Examples
    --------
    >>> target.prompt_names  # doctest: +SKIP
    ['nuclei', 'red-cells']
    """

    folder: Path
    image: JobImage
    opened: BatchImage
    settings: RunSettings

    @property
    def prompt_names(self) -> list[str]:
        """Per prompt the part of file names that stands for it."""
        return unique_slugs(list(self.settings.prompts), fallback="prompt")

    def names(self, suffix: str, *, by_plane: bool = False, by_prompt: bool = True) -> list[str]:
        """Return names of files: the image, the plane of several, the prompt, a suffix."""
        planes: Sequence[PlaneIndex] = self.opened.planes if by_plane else [()]
        starts = [f"{self.image.name}{plane_suffix(self.opened, index)}" for index in planes]
        if not by_prompt:
            return [f"{start}{suffix}" for start in starts]
        return [f"{start}_{prompt}{suffix}" for start in starts for prompt in self.prompt_names]


class ImageOutput(ABC):
    """Writes one kind of output of one image; its files appear when all planes are written.

    Parameters
    ----------
    target : OutputTarget
    """

    kind: ClassVar[str]
    """What `RunSettings.write` calls it."""

    def __init__(self, target: OutputTarget) -> None:
        self.target = target
        self._drafts: dict[str, Path] = {}

    @classmethod
    @abstractmethod
    def files(cls, target: OutputTarget) -> list[str]:
        """Return the names of what will be written, in the job folder."""

    @abstractmethod
    def add(self, plane: PlaneResult) -> Sequence[Step] | None:
        """Write one plane, or return the steps that are left of it; planes come in order."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """End what is open, after the last plane or an error."""

    def draft(self, file: str) -> Path:
        """Return where to write a file until it is whole."""
        if file not in self._drafts:
            # The ending stays, as the format is chosen by it.
            path = self.target.folder / f"{DRAFT}-{file}"
            remove_path(path)
            self._drafts[file] = path
        return self._drafts[file]

    def commit(self) -> None:
        """Put all files in place."""
        for file, draft in self._drafts.items():
            put_in_place(draft, self.target.folder / file)
        self._drafts.clear()

    def discard(self) -> None:
        """Remove what was not put in place."""
        for draft in self._drafts.values():
            remove_path(draft)
        self._drafts.clear()


def plane_suffix(opened: BatchImage, index: PlaneIndex) -> str:
    """Return what the names of a plane's files have, such as "_t03_z1"; nothing of a single plane.

    Examples
    --------
    >>> plane_suffix(movie, (3,))  # doctest: +SKIP
    '_t03'
    """
    return "".join(
        f"_{_SHORT.get(axis, axis)}{at:0{len(str(length - 1))}}"
        for axis, at, length in zip(opened.axes, index, opened.lengths, strict=False)
    )


def write_plane(
    outputs: Sequence[ImageOutput], plane: PlaneResult, beside: Sequence[Step] = ()
) -> None:
    """Write a plane to all outputs; of a large one several files at a time.

    Parameters
    ----------
    outputs : sequence of ImageOutput
    plane : PlaneResult
    beside : sequence of callable() -> object
        Other work on the plane, to be done first, or meanwhile.

    Examples
    --------
    >>> write_plane(outputs_of(target, ("maps", "overlays")), plane)  # doctest: +SKIP
    """
    steps = [*beside, *chain(*(output.add(plane) or () for output in outputs))]
    if plane.scoring is None or plane.is_small:  # threads would take longer to start
        for step in steps:
            step()
        return
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="clip-heatmap-output") as threads:
        begun = [threads.submit(step) for step in steps]
        try:
            for each in begun:
                each.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
