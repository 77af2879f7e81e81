"""Read the files of an export job: as a table, into a database, or as a report (extra `data`).

```python
import duckdb

from scarf_async.data import read, report

events = read("events")
print(duckdb.sql("select day, count(*) from events group by day order by day"))
report("events").save("downloads.html")
```
"""

from scarf_async.data.load import load
from scarf_async.data.reporting import Report, report
from scarf_async.data.source import files, read

__all__ = ["Report", "files", "load", "read", "report"]
