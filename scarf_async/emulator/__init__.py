"""A local Scarf server on SQLite, for tests, demos and rehearsals.

```python
async with Emulator() as emulator:
    async with Scarf(emulator.token, base_url=emulator.url, v2_url=emulator.v2_url) as scarf:
        ...
```

It serves every endpoint of the published API v1 description, and the management calls and event exports of v2,
over one state. `Quirks` decides what the documentation of v2 leaves open. It shares only the enums
(`scarf_async.entities.enums`) with the SDK, so that the two can disagree.
"""

from __future__ import annotations

from scarf_async.emulator.faults import Action, FaultRule, Faults
from scarf_async.emulator.quirks import Quirks
from scarf_async.emulator.received import ReceivedRequest
from scarf_async.emulator.server import Emulator

__all__ = ["Action", "Emulator", "FaultRule", "Faults", "Quirks", "ReceivedRequest"]
