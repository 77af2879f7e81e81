"""The sources of rows: iterables and NDJSON files. Files are read in a thread."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

from anyio.to_thread import run_sync

from scarf_async.errors import ValidationError
from scarf_async.exports.lines import LineSplitter
from scarf_async.imports.batches import Batch, Batcher
from scarf_async.imports.rows import Checker

__all__ = ["batches_of", "batches_of_file"]

_PIECE: Final = 2**18
_ROWS_AT_ONCE: Final = 500


async def batches_of(
    rows: Iterable[object] | AsyncIterable[object], checker: Checker, batcher: Batcher
) -> AsyncGenerator[Batch, None]:
    """Yield batches of the rows of an iterable, which is consumed on the event loop.

    Raises:
        ValidationError: a row cannot be imported; rows before it in the same batch are not yielded.
    """
    number = 0
    async with aclosing(_rows_of(rows)) as given:
        async for row in given:
            number += 1
            if batcher.add(checker.row(number, row)) and (batch := batcher.take()):
                yield batch
            if number % _ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
    if batch := batcher.take():
        yield batch


async def _rows_of(rows: Iterable[object] | AsyncIterable[object]) -> AsyncGenerator[object, None]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


async def batches_of_file(
    path: Path, checker: Checker, batcher: Batcher, max_line: int
) -> AsyncGenerator[Batch, None]:
    """Yield batches of an NDJSON file, which may be gzipped; it is read in a thread.

    Its lines are checked on the event loop: a thread that is always busy would delay the tasks that send.

    Raises:
        ValidationError: a line cannot be imported, or the file is not the gzip file that its name says.
        OSError: the file cannot be read.
    """
    splitter, ended = LineSplitter(max_line), False
    pieces = _pieces(path)
    try:
        while not ended:
            piece = await run_sync(next, pieces, b"")
            ended = not piece
            lines = splitter.finish() if ended else splitter.feed(piece)
            numbers = splitter.numbers
            while lines:
                room = batcher.room
                full = batcher.extend(checker.lines(numbers[:room], lines[:room]))
                numbers, lines = numbers[room:], lines[room:]
                if full and (batch := batcher.take()):
                    yield batch
            if splitter.too_long is not None:
                raise ValidationError(
                    f"row {splitter.too_long}: it is longer than max_record_bytes ({max_line})", field="rows"
                )
    finally:
        # An abandoned thread may still be reading; it closes the file when it ends.
        with suppress(ValueError):
            pieces.close()
    if batch := batcher.take():
        yield batch


def _pieces(path: Path) -> Generator[bytes, None, None]:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ValidationError(f"{path} is not a whole gzip file", field="rows") from None
