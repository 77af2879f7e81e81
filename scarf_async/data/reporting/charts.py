"""The charts of a report as Vega-Lite. Pure.

Everything is already counted, and every domain is explicit: Vega groups by keys, which a name such as `__proto__`
breaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from scarf_async.data.reporting.coverage import Bucket, Grain
from scarf_async.data.reporting.figures import Counted, OriginsIn, Ranking, ShareIn, Version
from scarf_async.data.reporting.markup import spelled
from scarf_async.data.reporting.words import date, plural, span_text

__all__ = ["Chart", "downloads", "mean_of", "origins", "ranking", "shares"]

Chart: TypeAlias = Mapping[str, object]

_LABELS: Final = 6
_FEW: Final = 12
_ROW: Final = 38
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_CONFIG: Final = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": 11,
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "ticks": False,
        "labelPadding": 6,
        "title": None,
    },
}
# A bar that is too low to be visible must differ from none.
_BAR: Final = {"type": "bar", "cornerRadiusEnd": 1}


def downloads(counted: Sequence[Counted], grain: Grain) -> Chart | None:
    """Return bars over time with their mean, and gaps as bands; None if there is nothing to draw."""
    rows = [
        {
            "at": str(one.bucket.span.start),
            "when": _when(one.bucket, grain),
            "count": one.downloads,
            "fill": "var(--bar)" if one.bucket.is_whole else "var(--pale)",
            "note": _note(one.bucket),
        }
        for one in counted
        if one.downloads is not None
    ]
    if not any(one.downloads for one in counted):
        return None
    buckets = [one.bucket for one in counted]
    tooltip = [_shown("when", grain.capitalize()), _number("count", "Downloads"), *_noted(rows)]
    bars = {
        "data": {"values": rows},
        "mark": _BAR,
        "encoding": {
            "y": _counts("count"),
            "color": {"field": "fill", "type": "nominal", "scale": None},
            "tooltip": tooltip,
        },
    }
    layers = [*_bands(buckets, grain), bars]
    if (mean := mean_of(counted)) is not None:
        rule = {"type": "rule", "color": "var(--ink)", "strokeDash": [4, 3], "opacity": 0.7}
        layers.append(
            {"data": {"values": [{"mean": mean}]}, "mark": rule, "encoding": {"x": None, "y": _counts("mean")}}
        )
    return _over_time(buckets, layers, f"Downloads by {grain}")


def mean_of(counted: Sequence[Counted]) -> float | None:
    """Return the mean of the complete buckets, if there are at least two."""
    whole = [one.downloads for one in counted if one.bucket.is_whole and one.downloads is not None]
    return sum(whole) / len(whole) if len(whole) > 1 else None


def origins(counted: Sequence[OriginsIn], grain: Grain) -> Chart | None:
    """Return stacked bars of returning and new origins; None if there is nothing to draw."""
    if not any(one.all for one in counted):
        return None
    rows = [
        {
            "at": str(one.bucket.span.start),
            "when": _when(one.bucket, grain),
            "from": low,
            "to": high,
            "new": one.new,
            "returning": one.all - one.new,
            "fill": fill,
            "note": _note(one.bucket),
        }
        for one in counted
        for low, high, fill in (
            (0, one.all - one.new, "var(--bar)"),
            (one.all - one.new, one.all, "var(--second)"),
        )
        if high > low
    ]
    tooltip = [
        _shown("when", grain.capitalize()),
        _number("returning", "Returning"),
        _number("new", "New"),
        *_noted(rows),
    ]
    bars = {
        "data": {"values": rows},
        "mark": _BAR,
        "encoding": {
            "y": _counts("from"),
            "y2": {"field": "to"},
            "color": {"field": "fill", "type": "nominal", "scale": None},
            "tooltip": tooltip,
        },
    }
    buckets = [one.bucket for one in counted]
    return _over_time(buckets, [*_bands(buckets, grain), bars], f"Origins by {grain}, new and returning")


def shares(counted: Sequence[ShareIn], versions: Sequence[Version], grain: Grain) -> Chart | None:
    """Return a line for each version; None if there is nothing to draw."""
    if not any(one.share for one in counted):
        return None
    rows = [
        {
            "at": str(one.bucket.span.start),
            "when": _when(one.bucket, grain),
            "series": one.number,
            "share": one.share,
        }
        for one in counted
    ]
    names = [{"series": series, "version": spelled(one.name or "(none)")} for series, one in enumerate(versions)]
    drawn = {one.number for one in counted}
    lines = {
        "data": {"values": rows},
        # Named only once, since a name may be long.
        "transform": [
            {"lookup": "series", "from": {"data": {"values": names}, "key": "series", "fields": ["version"]}}
        ],
        "mark": {"type": "line", "point": {"size": 22}, "strokeWidth": 2, "invalid": "break-paths-show-domains"},
        "encoding": {
            "y": {
                "field": "share",
                "type": "quantitative",
                "axis": {"format": "~%", "tickCount": 4},
                "scale": {"domainMin": 0, "nice": True},
            },
            "color": {
                "field": "series",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": sorted(drawn), "range": [f"var(--s{series})" for series in sorted(drawn)]},
            },
            "tooltip": [
                _shown("version", "Version"),
                _shown("when", grain.capitalize()),
                {**_number("share", "Origins"), "format": ".1%"},
            ],
        },
    }
    buckets = list(dict.fromkeys(one.bucket for one in counted))
    return _over_time(buckets, [*_bands(buckets, grain), lines], f"Share of origins by {grain} for each version")


def ranking(ranked: Ranking, description: str) -> Chart | None:
    """Return a bar for each name, with the name above it; None if there is nothing to draw."""
    if not ranked.top:
        return None
    rows = [
        {
            "rank": rank,
            "name": spelled(one.name),
            "count": one.downloads,
            "share": one.share,
            "origins": one.origins,
        }
        for rank, one in enumerate(ranked.top)
    ]
    scale = {"domain": list(range(len(rows))), "padding": 0}
    place = {"field": "rank", "type": "ordinal", "axis": None, "scale": scale}
    tooltip = [
        _shown("name", "Name"),
        _number("count", "Downloads"),
        {**_number("share", "Share"), "format": ".1%"},
        _number("origins", "Origins"),
    ]
    text = {"type": "text", "baseline": "middle", "fontSize": 13, "color": "var(--ink)", "dy": -6}
    return {
        "width": "container",
        "height": _ROW * len(rows),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 0, "right": 0, "top": 0, "bottom": 0},
        "description": description,
        "data": {"values": rows},
        "encoding": {"y": place, "tooltip": tooltip},
        "layer": [
            {
                "mark": {"type": "bar", "height": 7, "yOffset": 9, "cornerRadiusEnd": 1, "color": "var(--bar)"},
                "encoding": {
                    "x": {
                        "field": "count",
                        "type": "quantitative",
                        "axis": None,
                        "scale": {"domain": [0, max(one.downloads for one in ranked.top)], "nice": False},
                    }
                },
            },
            {
                "mark": {**text, "align": "left", "limit": {"expr": "width - 80"}},
                "encoding": {"x": {"value": 0}, "text": {"field": "name"}},
            },
            {
                "mark": {**text, "align": "right", "color": "var(--muted)"},
                "encoding": {
                    "x": {"value": "width"},
                    "text": {"field": "count", "type": "quantitative", "format": ","},
                },
            },
        ],
        "config": _CONFIG,
    }


def _over_time(buckets: Sequence[Bucket], layers: Sequence[Mapping[str, object]], description: str) -> Chart:
    days = [bucket.span.start for bucket in buckets]
    step = -(-len(days) // _LABELS)
    far = days[-1].year != days[0].year
    return {
        "width": "container",
        "height": 220,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 0, "right": 4, "top": 6, "bottom": 0},
        "description": description,
        "encoding": {
            "x": {
                "field": "at",
                "type": "ordinal",
                "scale": {
                    "type": "band",
                    "domain": [*map(str, days)],
                    "paddingInner": 0.15,
                    "paddingOuter": max(0.15, (_FEW - len(days)) / 2),
                },
                "axis": {
                    "values": [str(day) for day in days[::step]],
                    "labelAngle": 0,
                    "labelExpr": f"utcFormat(toDate(datum.value), '{'%b %Y' if far else '%-d %b'}')",
                    "labelOverlap": "greedy",
                    "labelSeparation": 10,
                },
            }
        },
        "layer": list(layers),
        "config": _CONFIG,
    }


def _bands(buckets: Sequence[Bucket], grain: Grain) -> list[Mapping[str, object]]:
    rows = [
        {"at": str(bucket.span.start), "when": _when(bucket, grain), "note": _note(bucket)}
        for bucket in buckets
        if bucket.missing
    ]
    if not rows:
        return []
    return [
        {
            "data": {"values": rows},
            "mark": {"type": "bar", "color": "var(--gap)", "width": {"band": 1}},
            "encoding": {
                "y": {"value": 0},
                "y2": {"value": "height"},
                "tooltip": [_shown("when", grain.capitalize()), _shown("note", "Note")],
            },
        }
    ]


def _when(bucket: Bucket, grain: Grain) -> str:
    return date(bucket.span.start) if grain is Grain.DAY else span_text(bucket.span)


def _note(bucket: Bucket) -> str:
    if bucket.is_gap:
        return "not in the data"
    missing = f"{plural(bucket.missing, 'day')} not in the data" if bucket.missing else ""
    return ", ".join(filter(None, [missing, "provisional" if bucket.provisional else ""]))


def _noted(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return [_shown("note", "Note")] if any(row["note"] for row in rows) else []


def _counts(field: str) -> Mapping[str, object]:
    # As a format of the axis, it would show zero as `0k`.
    axis = {"labelExpr": "format(datum.value, '~s')", "tickCount": 4, "tickMinStep": 1, "domain": False}
    return {"field": field, "type": "quantitative", "axis": axis}


def _shown(field: str, title: str) -> Mapping[str, object]:
    return {"field": field, "type": "nominal", "title": title}


def _number(field: str, title: str) -> Mapping[str, object]:
    return {"field": field, "type": "quantitative", "title": title, "format": ","}
