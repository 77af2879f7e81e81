"""A local Scarf server on SQLite, for tests, demos and rehearsals.

```python
async with Emulator() as emulator:
    async with Scarf(emulator.token, base_url=emulator.url, v2_url=emulator.v2_url) as scarf:
        ...
```

It serves every endpoint of the published API v1 description, and the management calls and event exports of v2,
over one state. Where nobody knows what the service does in v2, `Quirks` decides. It shares the word lists
(`scarf_async.entities.enums`) with the SDK and nothing else, so that the two can disagree.
"""

from __future__ import annotations

from scarf_async.emulator.faults import Action, FaultRule, Faults
from scarf_async.emulator.quirks import Quirks
from scarf_async.emulator.received import ReceivedRequest
from scarf_async.emulator.server import Emulator

__all__ = ["Action", "Emulator", "FaultRule", "Faults", "Quirks", "ReceivedRequest"]
