"""The records of exports."""

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
    """One row of an aggregates export: the downloads of a package on one day, for one breakdown.

    Attributes:
        breakdown: what `total` is counted by: a `Breakdown`, or a plain string for an unknown one.
        date: the day.
        package: the package's uuid.
        total: downloads or pulls for this breakdown, day and package.
        company_name: only for breakdown company, like `company_domain`.
        cloud_provider_name: only for breakdown cloud_provider, like `cloud_provider_domain`.
        version: only for breakdown version of docker packages.
        client: only for breakdown client, like `client_version`.
        variable: only for breakdown variable of file packages, like `value`.
        unique_total: downloads by unique IP address; only for breakdown total.
        extra: other fields that the service sends, by their names on the wire.
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

    The service sends the columns `id`, `pixel`, `platform`, `origin_state`, `dnt`, `confidence`, `endpoint_id` and
    `mtc_quota_exceeded`, although the published description does not list them.

    Attributes:
        type: what happened, as free text (image pull, pixel fetch, file-download, ...); `""` for an empty cell.
        package: the name of the package.
        version: its version.
        time: when it happened (aware, UTC).
        referer: the HTTP Referer header.
        user_agent: the HTTP User-Agent header.
        variables: the matched variables as an undecoded query string; see `variable_map`.
        origin_id: an opaque id of the client. Equal ids mean the same client; different ids may do so too.
        origin_latitude: degrees, approximate.
        origin_longitude: degrees, approximate.
        id: the identifier of the event. The service may deliver the same row more than once.
        confidence: the confidence of the company attribution, from 0 to 1.
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
        """The matched variables by name, decoded; empty if there are none.

        If a name is repeated, the first value counts, as it does for the service; `variables` has all values.
        Bytes that are not UTF-8 are replaced by U+FFFD.

        >>> Event(type="", time=dt.datetime(2024, 1, 1), variables="version=1.0%2B1&os=&version=2").variable_map
        {'version': '1.0+1', 'os': ''}
        """
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.variables or "", keep_blank_values=True, errors="replace"):
            found.setdefault(name, value)
        return found
