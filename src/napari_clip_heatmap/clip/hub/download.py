"""One file from the Hugging Face hub into its cache: with progress, cancel, resume and hash check.

The hub's own client keeps nothing of a download that was cut, cannot be cancelled, and checks the
size only. So it is asked for the address, its HTTP session (which honours HF_ENDPOINT,
HF_HUB_OFFLINE and proxies) brings the bytes, and the rest is done here. Files lie in its cache as
it lays them out itself: bytes in ``blobs``, links to them in ``snapshots``, versions in ``refs``.
"""

from __future__ import annotations

import errno
import hashlib
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
"""Seconds to wait for a server's first answer."""

PIECE = 1 << 19
"""Bytes that are handed on at once."""

_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_BARS = "huggingface_hub.http_get"


class WrongHashError(FileMetadataError):
    """The bytes that came are not those that the hub has on record; they were deleted."""


@dataclass(frozen=True)
class Remote:
    """A file on the hub, as the hub describes it.

    Parameters
    ----------
    repository, name : str
    url : str
        Of this very version.
    commit : str
        The version of the repository.
    digest : str
        SHA-256 of the bytes (64 digits), or git's SHA-1 of a small file (40 digits).
    size : int or None
        Bytes, where the server says it.
    """

    repository: str
    name: str
    url: str
    commit: str
    digest: str
    size: int | None

    @property
    def folder(self) -> Path:
        """What the hub's cache has of the repository."""
        name = repo_folder_name(repo_id=self.repository, repo_type="model")
        return Path(constants.HF_HUB_CACHE, name)

    @property
    def blob(self) -> Path:
        """Where the hub's cache keeps the bytes."""
        return self.folder / "blobs" / self.digest

    @property
    def path(self) -> Path:
        """Where the hub's cache has this version of the file by its name."""
        return self.folder.joinpath("snapshots", self.commit, *self.name.split("/"))

    @property
    def partial(self) -> Path:
        """Where bytes wait until all have come; the same file again when a download goes on."""
        return self.blob.with_name(f"{self.digest}.clip-heatmap.incomplete")


def cached_file(repository: str, name: str) -> Path | None:
    """Return a file of the hub if it is on this machine; no network is used."""
    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def look_up(repository: str, name: str) -> Remote | None:
    """Ask the hub for a file; None if it has none of that name.

    Raises
    ------
    OSError or an error of the HTTP library
        The hub cannot be asked, or has no such repository; see `reasons`.
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
            "the answer has no hash or version, so it is not that of a Hugging Face hub; check "
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
    """Bring a file into the hub's cache, going on where an earlier download ended.

    It is not found by its name there before `set_current_version`.

    Parameters
    ----------
    remote : Remote
    progress : callable(bytes), optional
        Called with how many bytes of the file are here.
    cancelled : callable() -> bool, optional
        Asked at every piece; what has come is kept.

    Returns
    -------
    Path
        Of the file in the cache.

    Raises
    ------
    Cancelled
        `cancelled` said so.
    WrongHashError
        The bytes are not those on record.
    OSError or an error of the HTTP library
        See `reasons`.
    """
    if not remote.path.exists():
        if not remote.blob.exists():
            _receive(remote, progress, cancelled)
            _check(remote)
            remote.partial.replace(remote.blob)
        _enter(remote)
    return remote.path


def set_current_version(remote: Remote) -> None:
    """Make a file's version the one that is found by name, once all its files are here."""
    note = remote.folder / "refs" / constants.DEFAULT_REVISION
    if not note.is_file() or note.read_text(encoding="utf-8") != remote.commit:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(remote.commit, encoding="utf-8")


def _enter(remote: Remote) -> None:
    """Give the bytes their name in this version of the repository."""
    remote.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        remote.path.symlink_to(Path(os.path.relpath(remote.blob, remote.path.parent)))
    except FileExistsError:  # another process was faster
        return
    except OSError:  # a system without links
        remote.blob.replace(remote.path)


def _receive(
    remote: Remote, progress: Callable[[int], None], cancelled: Callable[[], bool]
) -> None:
    """Append the bytes that are still missing to the partial file."""
    remote.partial.parent.mkdir(parents=True, exist_ok=True)
    with remote.partial.open("ab") as stream, _quiet_client():
        start = stream.tell()
        if remote.size is not None and start > remote.size:
            stream.truncate(start := 0)
        _require_room(remote, start)
        sink = _Sink(stream, progress, cancelled)
        http_get(
            remote.url,
            sink,  # type: ignore[arg-type]  # what it needs of a file
            resume_size=start,
            headers={**_headers(), "Accept-Encoding": "identity"},
            expected_size=remote.size,
        )


def _headers() -> dict[str, str]:
    headers: dict[str, str] = build_hf_headers(library_name="napari-clip-heatmap")
    return headers


def _require_room(remote: Remote, start: int) -> None:
    free = shutil.disk_usage(remote.partial.parent).free
    missing = (remote.size or 0) - start
    if missing > free:
        raise OSError(
            errno.ENOSPC, f"{missing} bytes are missing and {free} free", str(remote.partial.parent)
        )


def _check(remote: Remote) -> None:
    """Raise, and delete the partial file, unless it has the digest on record."""
    size = remote.partial.stat().st_size
    digest = hashlib.sha256() if len(remote.digest) == 64 else hashlib.sha1(b"blob %d\0" % size)
    with remote.partial.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    if digest.hexdigest() != remote.digest:
        remote.partial.unlink()
        raise WrongHashError(
            f"the bytes that came have the hash {digest.hexdigest()}, not {remote.digest} as on "
            "record; they were deleted. Try again, or without a mirror or proxy in between"
        )


class _Sink:
    """A file that tells how much of it is there and can be told to stop."""

    def __init__(
        self, stream: IO[bytes], progress: Callable[[int], None], cancelled: Callable[[], bool]
    ) -> None:
        self._stream, self._progress, self._cancelled = stream, progress, cancelled
        self.name = stream.name
        self.seek, self.tell = stream.seek, stream.tell
        self.truncate, self.flush = stream.truncate, stream.flush

    def write(self, piece: bytes) -> int:
        if self._cancelled():
            raise Cancelled("The download was cancelled; what has come is kept.")
        written = self._stream.write(piece)
        self._progress(self._stream.tell())
        return written


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client from drawing bars of its own, and let it hand on small pieces.

    Its pieces of 10 MB take a slow line ten seconds each, in which nothing could be cancelled.
    """
    drawn, size = not are_progress_bars_disabled(_BARS), constants.DOWNLOAD_CHUNK_SIZE
    if drawn:
        disable_progress_bars(_BARS)
    constants.DOWNLOAD_CHUNK_SIZE = PIECE
    try:
        yield
    finally:
        constants.DOWNLOAD_CHUNK_SIZE = size
        if drawn:
            enable_progress_bars(_BARS)
