"""Bulk operations: plans as data, ordered concurrent runs, and reports with an outcome for each operation."""

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
