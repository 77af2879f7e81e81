"""The declared organization: read from a file, compared with the live organization, applied."""

from scarf_async.manifests.apply import ApplyReport
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.reading import read_manifest
from scarf_async.manifests.saved import SavedChanges, read_changes, write_changes
from scarf_async.manifests.schema import manifest_schema
from scarf_async.manifests.writing import write_manifest

__all__ = [
    "ApplyReport",
    "Change",
    "Changes",
    "Manifest",
    "OrganizationSpec",
    "PackageSpec",
    "SavedChanges",
    "manifest_schema",
    "read_changes",
    "read_manifest",
    "write_changes",
    "write_manifest",
]
