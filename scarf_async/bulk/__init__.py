"""Many operations at once: a plan that is data, a run that keeps its order, a report that hides nothing."""

from scarf_async.bulk.estimate import PlanEstimate
from scarf_async.bulk.group import Bulk
from scarf_async.bulk.kinds import Kind, Ref
from scarf_async.bulk.operations import Operation
from scarf_async.bulk.plan import BulkPlan
from scarf_async.bulk.report import BulkProgress, BulkReport, Outcome
from scarf_async.bulk.verify import Difference

__all__ = [
    "Bulk",
    "BulkPlan",
    "BulkProgress",
    "BulkReport",
    "Difference",
    "Kind",
    "Operation",
    "Outcome",
    "PlanEstimate",
    "Ref",
]
