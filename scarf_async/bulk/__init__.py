"""Many operations at once: a plan that is data, a run that keeps its order, a report that hides nothing."""

from scarf_async.bulk.group import Bulk
from scarf_async.bulk.plan import BulkPlan, Kind, Operation, Ref
from scarf_async.bulk.report import BulkProgress, BulkReport, Outcome

__all__ = ["Bulk", "BulkPlan", "BulkProgress", "BulkReport", "Kind", "Operation", "Outcome", "Ref"]
