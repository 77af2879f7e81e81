"""How long does a report take of so many events, and how much memory?

The events are those of a year: of 30,000 origins, 5,000 companies and 40 packages.

    python -m benchmarks.report_page EVENTS    of so many events
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

# The tests are not installed; their jobs have no events of a server's either.
sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from data.jobs import job_of, window

from benchmarks.results import Result, single

__all__ = ["run"]

_EVENTS: Final = 10_000_000
_SECONDS: Final = 15
_MEGABYTES: Final = 600
_MONTHS: Final = [f"2024-{month:02}-01" for month in range(1, 13)]

_QUERY: Final = """
SELECT
    format('{{:08x}}-5b5d-3c1c-7f10-{{:012x}}', i % 4294967296, h % 281474976710656) AS id, 'file-download' AS type,
    TIMESTAMP '2024-01-01' + to_microseconds(CAST(h % 31622400000000 AS BIGINT)) AS time,
    CASE WHEN i % 16 = 0 THEN '5d5e3d4c-6a53-4a6e-9f0f-2f1d6c1b7a10' END AS pixel,
    'package-' || CAST(sqrt(h % 1600) AS INT) AS package, '1.' || (h % 40) || '.0' AS version,
    ['curl/8.5.' || (o % 40), 'Mozilla/5.0 (X11; Linux)', 'docker/24.0.1 go/go1.20 kernel/' || (o % 900)][1 + o % 3]
        AS user_agent,
    ['linux/amd64', 'linux/arm64', NULL][1 + o % 3] AS platform, format('{{:016x}}', o * 2654435761) AS origin_id,
    'C' || (o % 120) AS origin_country, 'Company ' || (o % 5000) AS origin_company,
    ['isp', 'business', 'hosting', 'education'][1 + o % 4] AS origin_connection_type
FROM (SELECT i, hash(i) AS h, CAST(sqrt(hash(i + 7) % 900000000) AS INT) AS o FROM range({events}) AS numbers(i))
"""


def _make(source: str) -> None:
    """Make a report; print its seconds, megabytes, and size."""
    from scarf_async.data import report  # noqa: PLC0415 # the process that makes the events needs none

    began = perf_counter()
    size = len(report(source).html())
    kilobytes = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(perf_counter() - began, int(kilobytes) * 1024 / 10**6, size)


def run(events: int = _EVENTS) -> list[Result]:
    """Measure."""
    with tempfile.TemporaryDirectory() as place:
        months = [window(*days) for days in zip(_MONTHS, [*_MONTHS[1:], "2025-01-01"], strict=True)]
        source = job_of(Path(place, "job"), _QUERY.format(events=events), months)
        command = [sys.executable, "-m", "benchmarks.report_page", "make", str(source)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, megabytes, _ = map(float, done.stdout.split())
    print(f"{events:,} events: {seconds:.1f} s, {megabytes:.0f} MB", file=sys.stderr, flush=True)
    what = f"a report of {events:,} events of a year"
    return [
        single("report_page.time", f"{what}: time", [seconds], unit="s", better="less", target=_SECONDS),
        single(
            "report_page.memory", f"{what}: peak memory", [megabytes], unit="MB", better="less", target=_MEGABYTES
        ),
    ]


if __name__ == "__main__":
    match sys.argv[1:]:
        case "make", source:
            _make(source)
        case events, *_:
            run(int(events))
