"""A proxy before PostgreSQL that cuts connections at a COMMIT, or kills who sent it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import attrs
from psycopg.conninfo import conninfo_to_dict, make_conninfo

Cut = Literal["before", "after"]


def _connected(conninfo: str) -> socket.socket:
    values = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    host, port = values.get("host", "/var/run/postgresql"), values.get("port", "5432")
    if host.startswith("/"):
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(os.path.join(host, f".s.PGSQL.{port}"))  # noqa: PTH118 # it is a socket
        return upstream
    return socket.create_connection((host, int(port)))


@attrs.define
class Proxy:
    """Passes bytes on until it is told to cut.

    Attributes:
        upstream: the server's address.
        conninfo: the proxy's own.
        cuts: what to do at the next COMMITs, each once: cut before it is passed on, or before its response is;
            None: pass both on.
        cutting: called as it cuts, before anything more is passed on.
    """

    upstream: str
    conninfo: str = ""
    cuts: list[Cut | None] = attrs.field(factory=list)
    cutting: Callable[[], object] = lambda: None

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, _connected(self.upstream) as server:
            answering = threading.Thread(target=_pump, args=(server, client), daemon=True)
            answering.start()
            with suppress(OSError):
                self._pass_requests_on(client, server)
            # A process that was killed may have reset its connection: the server is told even so.
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            answering.join()

    def _pass_requests_on(self, client: socket.socket, server: socket.socket) -> None:
        while data := client.recv(2**16):
            if data.endswith(b"COMMIT\0") and self.cuts and (cut := self.cuts.pop(0)):
                self.cutting()
                if cut == "after":
                    client.shutdown(socket.SHUT_RDWR)
                    server.sendall(data)
                return
            server.sendall(data)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(2**16):
            # The client may be gone: what the server says is read all the same.
            with suppress(OSError):
                target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(conninfo: str) -> Iterator[Proxy]:
    """Run a proxy before a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        proxy = Proxy(conninfo, make_conninfo(conninfo, host="127.0.0.1", port=port, sslmode="disable"))
        thread = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()
