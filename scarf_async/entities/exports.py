"""The records of the exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from urllib.parse import parse_qsl

import attrs

from scarf_async.entities.enums import Breakdown
from scarf_async.entities.enums import breakdown as _breakdown
from scarf_async.entities.fields import JSON, extra

__all__ = ["Aggregate", "Event"]


@attrs.frozen(kw_only=True)
class Aggregate:
    """One row of an aggregates export: how often a package was fetched on a day, by one breakdown.

    Attributes:
        breakdown: what `total` is counted by: a `Breakdown`, or the plain string for an unknown one.
        date: the day.
        package: the package's uuid.
        total: downloads or pulls for this breakdown, day and package.
        company_name: breakdown company only, like `company_domain`.
        cloud_provider_name: breakdown cloud_provider only, like `cloud_provider_domain`.
        version: breakdown version only, docker packages only.
        client: breakdown client only, like `client_version`.
        variable: breakdown variable only, file packages only, like `value`.
        unique_total: downloads by unique address, breakdown total only.
        extra: what the service sends beyond these, by its name on the wire.
    """

    breakdown: Breakdown | str = attrs.field(converter=_breakdown)
    date: dt.date
    package: str
    total: int
    company_name: str | None = None
    company_domain: str | None = None
    cloud_provider_name: str | None = None
    cloud_provider_domain: str | None = None
    country: str | None = None
    platform: str | None = None
    version: str | None = None
    client: str | None = None
    client_version: str | None = None
    variable: str | None = None
    value: str | None = None
    unique_total: int | None = None
    extra: Mapping[str, JSON] = extra()


@attrs.frozen(kw_only=True)
class Event:
    """One row of an event export, read by column name; an empty cell is None.

    The columns `id`, `pixel`, `platform`, `origin_state`, `dnt`, `confidence`, `endpoint_id` and
    `mtc_quota_exceeded` are not in the published description; the service sends them.

    Attributes:
        type: what happened, free text (image pull, pixel fetch, file-download, ...); `""` where the cell is empty.
        package: the package's name.
        version: its version.
        time: when it happened (aware, UTC).
        referer: the HTTP header of that name.
        user_agent: the HTTP header of that name.
        variables: a query string with the matched variables, as sent; `variable_map` has it decoded.
        origin_id: an opaque id of the client: equal ids mean one client, different ids need not mean two.
        origin_latitude: degrees, approximate.
        origin_longitude: degrees, approximate.
        id: the event's identifier; a row may be delivered more than once with the same one.
        confidence: of the company attribution, 0 to 1.
        extra: further columns by name.
    """

    type: str
    time: dt.datetime
    package: str | None = None
    version: str | None = None
    referer: str | None = None
    user_agent: str | None = None
    variables: str | None = None
    origin_id: str | None = None
    origin_latitude: float | None = None
    origin_longitude: float | None = None
    origin_country: str | None = None
    origin_city: str | None = None
    origin_postal: str | None = None
    origin_company: str | None = None
    origin_domain: str | None = None
    origin_connection_type: str | None = None
    id: str | None = None
    pixel: str | None = None
    platform: str | None = None
    origin_state: str | None = None
    dnt: bool | None = None
    confidence: float | None = None
    endpoint_id: str | None = None
    mtc_quota_exceeded: bool | None = None
    extra: Mapping[str, str | None] = attrs.field(factory=dict, hash=False, repr=False)

    @property
    def variable_map(self) -> dict[str, str]:
        """The matched variables by name, decoded; empty where there are none.

        Of a name that comes twice the first value counts, as the service itself reads what is given twice;
        `variables` has all of them. Bytes that are not UTF-8 are replaced by U+FFFD.

        >>> Event(type="", time=dt.datetime(2024, 1, 1), variables="version=1.0%2B1&os=&version=2").variable_map
        {'version': '1.0+1', 'os': ''}
        """
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.variables or "", keep_blank_values=True, errors="replace"):
            found.setdefault(name, value)
        return found
