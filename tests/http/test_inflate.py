"""Bodies in gzip and deflate, cut everywhere."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.http.inflate import PIECE, BodyEncodingError, Inflater


def raw_deflate(data: bytes) -> bytes:
    """Compress without a header."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def inflate(encoding: str, body: bytes, step: int = 2**16) -> tuple[bytes, bool]:
    """Inflate a body that comes in pieces; say whether it ended."""
    inflater = Inflater(encoding)
    pieces = [piece for at in range(0, len(body), step) for piece in inflater.feed(body[at : at + step])]
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces), inflater.ended


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    st.integers(1, 50),
    st.integers(min_value=0, max_value=9),
)
def test_gzip_members_and_padding_at_every_cut(members: list[bytes], step: int, padding: int) -> None:
    """Any number of members, with zeros after the last, gives the same bytes however it is cut."""
    body = b"".join(map(gzip.compress, members)) + bytes(padding)
    assert inflate("gzip", body, step) == (b"".join(members), True)
    assert inflate("X-GZIP", body, step) == (b"".join(members), True)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_deflate_wrapped_and_raw(data: bytes, step: int) -> None:
    """Both forms of deflate are told apart by their first two bytes."""
    assert inflate("deflate", zlib.compress(data), step) == (data, True)
    assert inflate("deflate", raw_deflate(data), step) == (data, True)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_cut_body_has_not_ended(data: bytes, draw: st.DataObject) -> None:
    """A compressed body without its last byte, or more of them, has not ended; what came is a prefix."""
    for encoding, body in (
        ("gzip", gzip.compress(data, mtime=0)),
        ("deflate", zlib.compress(data)),
        ("deflate", raw_deflate(data)),
    ):
        got, ended = inflate(encoding, body[: draw.draw(st.integers(0, len(body) - 1))])
        assert not ended
        assert data.startswith(got)


def test_a_cut_second_member_has_not_ended() -> None:
    """The end of a first member does not prove the end of a body that goes on."""
    body = gzip.compress(b"one", mtime=0)
    assert inflate("gzip", body + body[:5]) == (b"one", False)


def test_identity_passes_through() -> None:
    """Without an encoding the body has no end mark, and may end anywhere."""
    for encoding in ("", "identity", " Identity "):
        inflater = Inflater(encoding)
        assert not inflater.compressed
        assert list(inflater.feed(b"")) == []
        assert list(inflater.feed(b"abc")) == [b"abc"]
        assert inflater.ended
    assert Inflater(None).ended
    assert Inflater("gzip").compressed


LABELS = [
    *("none", "UTF-8", "latin1", "aws-chunked", "text/csv", "'binary'", " , none,", "Windows-1252", "shift_jis"),
    *("identity;q=1.0", "utf-8 ; q=1", 'charset="utf-8"', "text/csv; charset=utf-8", "json", "en", "en-US", ";"),
]


@pytest.mark.parametrize("label", LABELS)
def test_labels_that_name_no_coding(label: str) -> None:
    """A charset, a media type or what says that there is none changes nothing, alone or beside a coding."""
    assert inflate(label, b"abc") == (b"abc", True)
    assert inflate(f"{label}, gzip", gzip.compress(b"abc")) == (b"abc", True)


def test_a_coding_is_known_with_its_parameters() -> None:
    """What follows a coding after a semicolon changes nothing."""
    for label in ("gzip;q=1", "gzip ; level=9", '"gzip";'):
        assert inflate(label, gzip.compress(b"abc")) == (b"abc", True)
    assert inflate("x-deflate; q=1", zlib.compress(b"abc")) == (b"abc", True)
    with pytest.raises(BodyEncodingError, match="br;q=1"):
        Inflater("br;q=1")


@pytest.mark.parametrize(
    "encoding",
    [
        "br",
        "bz2",
        "xz",
        "uu",
        "lz4",
        "snappy",
        "exi",
        "dcb",
        "hex",
        "idna",
        "zstd",
        "rot13",
        "base64",
        "x-own",
        "br, utf-8",
        "gzip, gzip",
        "compress",
        "x" * 500,
    ],
)
def test_other_encodings_are_refused(encoding: str) -> None:
    """An encoding that cannot be undone is refused at once, shortly."""
    with pytest.raises(BodyEncodingError, match="is not supported") as caught:
        Inflater(encoding)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"no gzip at all"),
        ("gzip", gzip.compress(b"abc", mtime=0) + b"garbage"),
        ("gzip", gzip.compress(b"abc", mtime=0) + b"\0\0garbage"),
        ("gzip", b"\0" + gzip.compress(b"abc", mtime=0)),
        ("gzip", gzip.compress(b"abc", mtime=0)[:-8] + bytes(8)),
        ("deflate", zlib.compress(b"abc") + b"x"),
        ("deflate", raw_deflate(b"abc") + b"\0"),
        ("deflate", b"\xff\xff\xff\xff"),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_corrupt_bodies(encoding: str, body: bytes, step: int) -> None:
    """A corrupt body, a wrong checksum and garbage after the end are errors."""
    with pytest.raises(BodyEncodingError):
        inflate(encoding, body, step)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_fills_no_memory(encoding: str) -> None:
    """What is not taken is not inflated."""
    bomb = (gzip.compress if encoding == "gzip" else zlib.compress)(bytes(64 * 2**20))
    inflater = Inflater(encoding)
    tracemalloc.start()
    try:
        size = sum(map(len, inflater.feed(bomb)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 64 * 2**20
    assert peak < 2**20
    assert inflater.ended
