"""The manifest of a zoo: TOML, checked at the edge, expanded to one entry a job."""

from convert.zoo.manifest.errors import ManifestInvalid
from convert.zoo.manifest.load import load_zoo
from convert.zoo.manifest.selection import only_targets, select, shard

__all__ = ["ManifestInvalid", "load_zoo", "only_targets", "select", "shard"]
