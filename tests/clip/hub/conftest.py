"""A Hugging Face hub on loopback, which can be made to fail in every way the real one does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from huggingface_hub import close_session, constants

_ADDRESS = re.compile(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)")


@dataclass
class FakeHub:
    """What the hub holds, how it behaves, and which requests it got."""

    url: str = ""
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    cut_after: int | None = None
    """Bytes after which the next answers are cut."""
    status: int | None = None
    """Answer this to every request for content."""
    digest: str | None = None
    """Claim this hash."""
    ranges: bool = True
    """Whether parts of files are served."""
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, file and range of every request."""

    def add(self, repository: str, folder: Path) -> None:
        """Serve the files of a folder."""
        for path in folder.iterdir():
            self.files[repository, path.name] = path.read_bytes()

    def gets(self) -> list[tuple[str, str | None]]:
        """Files and ranges of the requests for content."""
        return [(name, part) for method, name, part in self.requests if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_GET(self) -> None:
        self._answer("GET")

    def do_CONNECT(self) -> None:
        """As a proxy that asks for a password."""
        self._empty(407)

    def _answer(self, method: str) -> None:
        found = _ADDRESS.fullmatch(self.path)
        if found is None or (self.hub.status == 407):
            self._empty(407)  # addressed as a proxy
            return
        repository, name = found.groups()
        self.hub.requests.append((method, name, self.headers.get("Range")))
        if repository not in {each for each, _ in self.hub.files}:
            self._empty(404, **{"X-Error-Code": "RepoNotFound"})
        elif (repository, name) not in self.hub.files:
            self._empty(404, **{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.hub.commit})
        elif method == "GET" and self.hub.status:
            self._empty(self.hub.status)
        else:
            self._serve(method, self.hub.files[repository, name])

    def _empty(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": "0", **headers}.items():
            self.send_header(key, value)
        self.end_headers()

    def _serve(self, method: str, content: bytes) -> None:
        part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(part[1]) if part and self.hub.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{self.hub.digest or hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.end_headers()
        if method == "HEAD":
            return
        cut = self.hub.cut_after
        self.wfile.write(content[start:] if cut is None else content[start : start + cut])
        self.close_connection = cut is not None


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Stay quiet where a client that was cancelled hangs up."""


@pytest.fixture
def point_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Do what HF_ENDPOINT does when the client is imported."""

    def point(url: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return point


@pytest.fixture
def hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point_to: Callable[[str], None]
) -> Iterator[FakeHub]:
    """A hub that everything goes to, and an empty cache."""
    fake = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": fake})
    server = _Server(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    point_to(fake.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("CLIP_HEATMAP_MODELS", str(tmp_path / "by-hand"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    close_session()
    yield fake
    close_session()
    server.shutdown()
    thread.join()
    server.server_close()
