"""The files of an export job as a table for SQL, DataFrames, other readers and databases (extra `data`).

```python
import duckdb

from scarf_async.data import read

events = read("events")
print(duckdb.sql("select day, count(*) from events group by day order by day"))
```
"""

from scarf_async.data.load import load
from scarf_async.data.source import files, read

__all__ = ["files", "load", "read"]
