"""What a run over image files was asked for, and the folder that its results go to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.file_names import unique_slugs
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice, short_name
from napari_clip_heatmap.files.run_record import RECORD_NAME, read_record
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.prompting.language import PLAIN

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.score_registry import Score

__all__ = ["RunRequest", "claim_folder", "heatmap_file", "make_folder", "overlay_file"]


@dataclass(frozen=True)
class RunRequest:
    """What a run was asked for.

    Attributes
    ----------
    images : tuple of Path
        The image files, in order.
    prompts : tuple of str
        The user's words, each once.
    output : Path
        The folder for the results.
    model, device, precision : str
        As the user named them.
    score : str
        "relative", "absolute", "contrast" or "softmax".
    baseline : tuple of str
        The prompts that "contrast" subtracts, or "softmax" lets compete.
    templates : tuple of str
        Sentences that prompts are put into.
    downsample : float or "auto"
        Image pixels per pixel that the model sees.
    image_size : int, optional
        Side of the model's input; by default as it was trained.
    preprocess : str, optional
        Normalization of pixels, where the model's own files do not give it.
    view : View
        Which values become black and white.
    choice : PictureChoice
        Which picture of files that hold several.

    Examples
    --------
    >>> request = RunRequest((Path("cells.tif"),), ("nuclei", "red cells"), Path("results"))
    >>> request.names()[Path("cells.tif")]
    ['cells_nuclei', 'cells_red-cells']
    """

    images: tuple[Path, ...]
    prompts: tuple[str, ...]
    output: Path
    model: str = "demo"
    device: str = "auto"
    precision: str = "auto"
    score: Score = "relative"
    baseline: tuple[str, ...] = ()
    templates: tuple[str, ...] = PLAIN
    downsample: float | Literal["auto"] = "auto"
    image_size: int | None = None
    preprocess: str | None = None
    view: View = field(default_factory=View)
    choice: PictureChoice = field(default_factory=PictureChoice)

    def settings(self) -> dict[str, Any]:
        """Return the request as values that JSON has, with absolute paths."""
        values = asdict(self)
        choice: dict[str, Any] = values.pop("choice")
        paths = {"images": [str(path.resolve()) for path in self.images]}
        return values | choice | paths | {"output": str(self.output.resolve())}

    def names(self) -> dict[Path, list[str]]:
        """Name the results: for each image one ``stem_prompt`` per prompt, all different."""
        stems = unique_slugs([path.stem for path in self.images], fallback="image")
        prompts = unique_slugs(list(self.prompts), fallback="prompt")
        return {
            image: [f"{stem}_{prompt}" for prompt in prompts]
            for image, stem in zip(self.images, stems, strict=True)
        }


def claim_folder(request: RunRequest, *, overwrite: bool, extra: tuple[str, ...] = ()) -> None:
    """Make the output folder, unless results of another run would be lost in it.

    The same images and prompts may be run again into the same folder.

    Parameters
    ----------
    request : RunRequest
        The run to come.
    overwrite : bool
        Replace whatever is there.
    extra : tuple of str
        Names of further files that will be written.

    Raises
    ------
    OutputError
        The folder cannot be made, or holds files that this run would replace.

    Examples
    --------
    >>> request = RunRequest((Path("cells.tif"),), ("nuclei",), Path("results"))
    >>> claim_folder(request, overwrite=False)  # doctest: +SKIP
    """
    folder = request.output
    make_folder(folder)
    if overwrite or _is_repeated(request):
        return
    names = [name for group in request.names().values() for name in group]
    files = [file(name) for name in names for file in (heatmap_file, overlay_file)]
    existing = [name for name in (RECORD_NAME, *extra, *files) if (folder / name).exists()]
    if existing:
        raise OutputError(
            f"{short_name(folder)} holds {short_name(existing[0])} of another run; "
            "choose another --output, or add --overwrite"
        )


def make_folder(folder: Path) -> None:
    """Make a folder for results, if it is not there.

    Raises
    ------
    OutputError
        It cannot be made.

    Examples
    --------
    >>> make_folder(Path("results"))  # doctest: +SKIP
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the output folder {short_name(folder)} cannot be made ({error.strerror}); "
            "choose another --output"
        ) from error


def heatmap_file(name: str) -> str:
    """Return the file name of a heatmap's values.

    Examples
    --------
    >>> heatmap_file("cells_nuclei")
    'cells_nuclei_heatmap.tif'
    """
    return f"{name}_heatmap.tif"


def overlay_file(name: str) -> str:
    """Return the file name of a heatmap drawn over its image.

    Examples
    --------
    >>> overlay_file("cells_nuclei")
    'cells_nuclei_overlay.png'
    """
    return f"{name}_overlay.png"


def _is_repeated(request: RunRequest) -> bool:
    """Tell whether the folder's record is of the same images and prompts."""
    previous = read_record(request.output)
    settings = request.settings()
    if previous is None or not isinstance(previous.get("settings"), dict):
        return False
    return all(
        previous["settings"].get(key) == list(settings[key]) for key in ("images", "prompts")
    )
