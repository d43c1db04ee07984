"""Find what an example shows in the encodings of a folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.job.session import error_message

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.encoded_images import FoundImage
    from napari_clip_heatmap.prompting.example import Example

__all__ = ["ExampleSearch", "found_text"]

MOST_SHOWN = 8
"""Images that are listed."""


class ExampleSearch:
    """Ranks encoded images by an example, away from the window.

    Parameters
    ----------
    say : callable(str)
        Shows progress, the result, or why there is none.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._job = Job(
            lambda found: self._say(found_text(found)),
            lambda error: self._say(error_message(error)),
            on_step=self._say,
        )

    def start(self, example: Example, folder: str) -> None:
        """Search a folder; a search that is at work is not begun again."""
        if not self._job.start(lambda stopped: _search(example, folder, stopped)):
            self._say("A search is at work already.")

    def close(self) -> None:
        """Search no more."""
        self._job.close()


def _search(example: Example, folder: str, stopped: Callable[[], bool]) -> Any:
    from napari_clip_heatmap.batch.encoded_images import find_encodings, search_encodings

    paths = find_encodings([folder])
    found: list[FoundImage] = []
    for each in search_encodings(example, paths):
        if stopped():
            break
        found.append(each)
        yield f"Searched {len(found)} of {len(paths)} encodings"
    return sorted(found, key=lambda each: -each.similarity)


def found_text(found: list[FoundImage]) -> str:
    """Return the most similar images, a line each."""
    lines = [
        f"{each.similarity:.3f} (trust: {each.trust}) {each.path.name}, most at "
        f"y = {each.y:.0f}, x = {each.x:.0f}"
        for each in found[:MOST_SHOWN]
    ]
    more = len(found) - MOST_SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])
