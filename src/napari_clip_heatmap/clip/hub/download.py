"""Download one file from the Hugging Face hub, with progress, cancel, resume and a hash check.

The hub's own client discards an interrupted download, cannot be cancelled, and checks only the
size. Therefore only its metadata and its HTTP session (with HF_ENDPOINT, HF_HUB_OFFLINE and
proxies) are used, and the rest is done here. Files are stored in its own cache and in its layout:
bytes in ``blobs``, links to them in ``snapshots``, versions in ``refs``.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from huggingface_hub import (
    constants,
    get_hf_file_metadata,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import EntryNotFoundError, FileMetadataError
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    build_hf_headers,
    disable_progress_bars,
    enable_progress_bars,
)

from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.hashing import hash_file, hash_git_blob

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Remote",
    "WrongHashError",
    "cached_file",
    "download_file",
    "look_up",
    "set_current_version",
]

TIMEOUT = 10.0
"""Seconds to wait for the first response of a server."""

PIECE = 1 << 19
"""Bytes per piece."""

_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_BARS = "huggingface_hub.http_get"


class WrongHashError(FileMetadataError):
    """The downloaded bytes have another hash than the hub lists; they were deleted."""


@dataclass(frozen=True)
class Remote:
    """The hub's metadata of a file.

    Parameters
    ----------
    repository, name : str
    url : str
        Of exactly this version.
    commit : str
        Version of the repository.
    digest : str
        SHA-256 of the bytes (64 digits), or git's SHA-1 of a small file (40 digits).
    size : int or None
        Bytes, if the server reports them.
    """

    repository: str
    name: str
    url: str
    commit: str
    digest: str
    size: int | None

    @property
    def folder(self) -> Path:
        """Folder of the repository in the hub's cache."""
        name = repo_folder_name(repo_id=self.repository, repo_type="model")
        return Path(constants.HF_HUB_CACHE, name)

    @property
    def blob(self) -> Path:
        """Path of the bytes in the hub's cache."""
        return self.folder / "blobs" / self.digest

    @property
    def path(self) -> Path:
        """Path of this version of the file in the hub's cache, by its name."""
        return self.folder.joinpath("snapshots", self.commit, *self.name.split("/"))

    @property
    def partial(self) -> Path:
        """Path of an incomplete download, which the next attempt continues."""
        return self.blob.with_name(f"{self.digest}.clip-heatmap.incomplete")


def cached_file(repository: str, name: str) -> Path | None:
    """Return the path of a file of the hub if it is on this machine; no network is used."""
    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def look_up(repository: str, name: str) -> Remote | None:
    """Return the hub's metadata of a file; None if the repository has no such file.

    Raises
    ------
    OSError or an error of the HTTP library
        The hub cannot be reached or has no such repository; see `failure_reason`.
    """
    try:
        found = get_hf_file_metadata(
            hf_hub_url(repository, name), timeout=TIMEOUT, token=None, headers=_headers()
        )
    except EntryNotFoundError:
        return None
    digest = found.etag or ""
    if not _DIGEST.fullmatch(digest) or found.commit_hash is None:
        raise FileMetadataError(
            "the response has no hash or version, so it is not from a Hugging Face hub; check "
            "HF_ENDPOINT and the proxy"
        )
    url = hf_hub_url(repository, name, revision=found.commit_hash)
    return Remote(repository, name, url, found.commit_hash, digest, found.size)


def download_file(
    remote: Remote,
    *,
    progress: Callable[[int], None] = lambda done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Download a file into the hub's cache, continuing an earlier attempt.

    It cannot be found by its name there before `set_current_version`.

    Parameters
    ----------
    remote : Remote
    progress : callable(bytes), optional
        Called with the number of bytes received so far.
    cancelled : callable() -> bool, optional
        Called for each piece; true stops the download and keeps the incomplete file.

    Returns
    -------
    Path
        Of the file in the cache.

    Raises
    ------
    Cancelled
        `cancelled` returned true.
    WrongHashError
        The bytes have another hash than the hub lists.
    OSError or an error of the HTTP library
        See `failure_reason`.
    """
    if not remote.path.exists():
        if not remote.blob.exists():
            _receive(remote, progress, cancelled)
            _require_hash(remote)
            remote.partial.replace(remote.blob)
        _link(remote)
    return remote.path


def set_current_version(remote: Remote) -> None:
    """Make a file's version the current one, once all files of that version are here."""
    ref = remote.folder / "refs" / constants.DEFAULT_REVISION
    if not ref.is_file() or ref.read_text(encoding="utf-8") != remote.commit:
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(remote.commit, encoding="utf-8")


def _link(remote: Remote) -> None:
    """Link the bytes by their name in this version of the repository."""
    remote.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        remote.path.symlink_to(Path(os.path.relpath(remote.blob, remote.path.parent)))
    except FileExistsError:  # another process has linked it in the meantime
        return
    except OSError:  # a system without symbolic links
        remote.blob.replace(remote.path)


def _receive(
    remote: Remote, progress: Callable[[int], None], cancelled: Callable[[], bool]
) -> None:
    """Append the missing bytes to the incomplete file."""
    remote.partial.parent.mkdir(parents=True, exist_ok=True)
    with remote.partial.open("ab") as stream, _quiet_client():
        start = stream.tell()
        if remote.size is not None and start > remote.size:
            stream.truncate(start := 0)
        _require_disk_space(remote, start)
        sink = _Sink(stream, progress, cancelled)
        http_get(
            remote.url,
            sink,  # type: ignore[arg-type]  # it has all methods that are used
            resume_size=start,
            headers={**_headers(), "Accept-Encoding": "identity"},
            expected_size=remote.size,
        )


def _headers() -> dict[str, str]:
    headers: dict[str, str] = build_hf_headers(library_name="napari-clip-heatmap")
    return headers


def _require_disk_space(remote: Remote, start: int) -> None:
    free = shutil.disk_usage(remote.partial.parent).free
    missing = (remote.size or 0) - start
    if missing > free:
        raise OSError(
            errno.ENOSPC, f"{missing} bytes are missing and {free} free", str(remote.partial.parent)
        )


def _require_hash(remote: Remote) -> None:
    """Raise, and delete the incomplete file, unless it has the hash that the hub lists."""
    is_sha256 = len(remote.digest) == 64
    digest = hash_file(remote.partial) if is_sha256 else hash_git_blob(remote.partial)
    if digest != remote.digest:
        remote.partial.unlink()
        raise WrongHashError(
            f"the downloaded bytes have the hash {digest}, but the hub lists {remote.digest}; they "
            "were deleted. Try again, or without a mirror or proxy"
        )


class _Sink:
    """A file that reports how much of it was written, and can be cancelled."""

    def __init__(
        self, stream: IO[bytes], progress: Callable[[int], None], cancelled: Callable[[], bool]
    ) -> None:
        self._stream, self._progress, self._cancelled = stream, progress, cancelled
        self.name = stream.name
        self.seek, self.tell = stream.seek, stream.tell
        self.truncate, self.flush = stream.truncate, stream.flush

    def write(self, piece: bytes) -> int:
        if self._cancelled():
            raise Cancelled("The download was cancelled; the received bytes are kept.")
        written = self._stream.write(piece)
        self._progress(self._stream.tell())
        return written


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Turn off the client's own progress bars, and make it return small pieces.

    Its pieces of 10 MB take ten seconds each on a slow line, too long to wait for a cancel.
    """
    had_bars, size = not are_progress_bars_disabled(_BARS), constants.DOWNLOAD_CHUNK_SIZE
    if had_bars:
        disable_progress_bars(_BARS)
    constants.DOWNLOAD_CHUNK_SIZE = PIECE
    try:
        yield
    finally:
        constants.DOWNLOAD_CHUNK_SIZE = size
        if had_bars:
            enable_progress_bars(_BARS)
