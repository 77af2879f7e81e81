"""An object store of moto on loopback, behind a proxy that loses answers, fails, hangs and forgets conditions."""

from __future__ import annotations

import fnmatch
import http.client
import json
import logging
import random
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import attrs
import obstore
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
from obstore.store import S3Store, from_url

BUCKET = "bucket"
CONDITIONS = ("if-match", "if-none-match")

What = Literal["lost", "late 503", "503", "drop", "hang", "404", "412", "overtaken"]
"""The answer is lost, or is 503, 404 or 412 although it is done; 503 or the connection closed before; no answer; or
someone else, who writes nearly the same, was faster."""


@attrs.define
class Fault:
    """What happens to the next requests of a method for a path, which is a pattern."""

    method: str
    path: str
    what: What
    left: int = 1


class Store:
    """The proxy, and what is behind it.

    Attributes:
        url: its address.
        requests: what was asked for: the method and the path in the bucket.
        faults: what is to happen.
        ignored: headers that it leaves out.
        odds: how probable a random fault is for each request.
    """

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.ignored: tuple[str, ...] = ()
        self.odds = 0.0
        self.random = random.Random(0)
        self._upstream = upstream
        self._changed = threading.Condition()
        self._one_at_a_time = threading.Lock()
        self._released = threading.Event()
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def do_GET(self) -> None:
                store.serve(self)

            do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815 # as the library wants them

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Pass a request on, or do what is to happen to it."""
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        path = unquote(urlsplit(request.path).path).removeprefix(f"/{BUCKET}").removeprefix("/")
        with self._changed:
            self.requests.append((request.command, path))
            what = self._fault(request.command, path)
            self._changed.notify_all()
        if what == "overtaken":
            self._forward(request, body + b" ", CONDITIONS)
        if what not in {"503", "drop"}:
            status, headers, data = self._forward(request, body, self.ignored)
        with self._changed:
            self._changed.notify_all()
        if what in {"late 503", "503", "404", "412"}:
            status, headers, data = int(what[-3:]), [], b""
        if what == "hang":
            self._released.wait()
        if what in {"lost", "drop", "hang"}:
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _fault(self, method: str, path: str) -> What | None:
        for fault in self.faults:
            if fault.left and fault.method == method and fnmatch.fnmatchcase(path, fault.path):
                fault.left -= 1
                return fault.what
        faults: tuple[What, ...] = ("lost", "late 503", "503", "drop")
        return self.random.choice(faults) if self.random.random() < self.odds else None

    def _forward(
        self, request: BaseHTTPRequestHandler, body: bytes, ignored: Sequence[str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        left_out = {"host", "connection", "content-length", *ignored}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
        # moto looks at a condition in one step, and writes in another.
        with self._one_at_a_time:
            connection = http.client.HTTPConnection(*self._upstream)
            try:
                connection.request(request.command, request.path, body, headers)
                answer = connection.getresponse()
                data = answer.read()
            finally:
                connection.close()
        hop = {"transfer-encoding", "connection", "server", "date"}
        return answer.status, [(k, v) for k, v in answer.getheaders() if k.lower() not in hop], data

    def fail(self, method: str, path: str, what: What, times: int = 1) -> Fault:
        """Let something happen to the next requests."""
        self.faults.append(fault := Fault(method, path, what, times))
        return fault

    def wait_until(
        self, happened: Callable[[list[tuple[str, str]]], bool], unless: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait until the requests are such, unless there is nothing to wait for any more."""
        with self._changed:
            for _ in range(600):
                if self._changed.wait_for(lambda: happened(self.requests), 0.1) or unless():
                    return
        raise AssertionError(f"nothing came but {self.requests}")

    def written(self, pattern: str) -> int:
        """How often objects of such paths were written."""
        return sum(method == "PUT" and fnmatch.fnmatchcase(path, pattern) for method, path in self.requests)

    @property
    def environment(self) -> dict[str, str]:
        """What leads obstore here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "s3cr3t",
            "AWS_REGION": "us-east-1",
        }

    def impatient(self) -> S3Store:
        """Return a store that waits less than a second, and not again: it reads the environment, too."""
        return S3Store(
            BUCKET,
            client_options={"timeout": "500ms", "allow_http": True},
            retry_config={"max_retries": 0},
        )

    @property
    def _keys(self) -> Any:
        (backends,) = s3_backends.values()
        return backends["aws"].buckets[BUCKET].keys

    @property
    def objects(self) -> dict[str, bytes]:
        """What there is, by path."""
        return {name: key.value for name, key in self._keys.items()}

    def put(self, path: str, data: bytes) -> None:
        """Write an object, whatever there is."""
        obstore.put(from_url(f"s3://{BUCKET}"), path, data)

    def delete(self, path: str) -> None:
        """Remove an object."""
        obstore.delete(from_url(f"s3://{BUCKET}"), path)

    def age(self, pattern: str, age: Any) -> None:
        """Let objects be that much older."""
        for name, key in list(self._keys.items()):
            if fnmatch.fnmatchcase(name, pattern):
                key.last_modified -= age

    def json(self, path: str) -> Any:
        """Return what an object holds."""
        return json.loads(self.objects[path])

    def release(self) -> None:
        """Cut off the requests that hang."""
        self._released.set()

    def reset(self) -> None:
        """Forget everything."""
        self._released.set()
        self.requests.clear()
        self.faults.clear()
        self.ignored, self.odds = (), 0.0
        for backends in s3_backends.values():
            backends["aws"].reset()
        self.create(BUCKET)
        self.requests.clear()
        self._released.clear()

    def create(self, name: str) -> None:
        """Make a bucket; what is told here is of the first one."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT")):
            pass

    def close(self) -> None:
        """Stop it."""
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def running() -> Iterator[Store]:
    """Run it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        store = Store(server.get_host_and_port())
        try:
            yield store
        finally:
            store.close()
    finally:
        server.stop()
