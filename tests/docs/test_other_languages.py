"""The page about other languages is true: its state is loaded by its command, and its requests get what it says."""

from __future__ import annotations

import json
import re
import shlex
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from cli.shell import SCARF

from .pages import blocks

PAGE = "how-to/other-languages.md"
EVENTS = b"e-1,file-download,installer,,,2024-05-01T10:00:00Z"


def fetched(words: list[str], port: int, ca_file: Path) -> bytes:
    """Do what a curl command does: connect here, whatever its address, check the name, and return the response."""
    (url,) = (word for word in words if word.startswith("https://"))
    header = words[words.index("-H") + 1]
    match = re.fullmatch(r"https://([^:/]+)(?::\d+)?(/.*)", url)
    assert match is not None
    trust = ssl.create_default_context(cafile=ca_file)
    lines = (f"GET {match[2]} HTTP/1.0", f"Host: {match[1]}", header, "", "")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname=match[1]) as secure,
    ):
        secure.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: secure.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.0 200 ")
    return answer


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first emulator command runs with its file, each curl command gets the state, and all is logged."""
    monkeypatch.chdir(tmp_path)
    found = blocks(PAGE)
    (state,) = (block for block in found if block.title == "acme.json")
    Path("acme.json").write_text(state.text)
    lines = [line for block in found if block.language == "sh" for line in block.text.splitlines()]
    command = next(shlex.split(line) for line in lines if line.startswith("scarf-async emulator"))
    with subprocess.Popen(
        [*SCARF, *command[1:], "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            printed = [process.stdout.readline() for _ in range(4)]
            port = int(printed[0].split(":")[2].split("/")[0])
            curls = [shlex.split(line) for line in lines if line.startswith("curl ")]
            answers = [fetched(words, port, tmp_path / "scarf-ca.pem") for words in curls]
        finally:
            process.terminate()
    assert printed[2:] == [
        "export SCARF_API_TOKEN=my-test-token\n",
        f"export SSL_CERT_FILE={tmp_path}/scarf-ca.pem\n",
    ]
    assert len(answers) == 3
    assert b'"id":"0f6b2c1e-3a4d-4e5f-8a6b-7c8d9e0f1a2b"' in answers[0]
    assert b'"uuid":"0f6b2c1e-3a4d-4e5f-8a6b-7c8d9e0f1a2b"' in answers[1]
    assert b'"name":"notes"' in answers[1]
    assert EVENTS in answers[2]
    logged = Path("requests.jsonl").read_text().splitlines()
    shown = next(block.text for block in found if block.language == "json" and block.title is None)
    assert json.loads(logged[0]) == json.loads(shown)
    assert len(logged) == len(answers)
