"""What jobs share: files by content, and what came of jobs, stages and fetched sources by key."""

from convert.zoo.store.base import StageEntry, Store
from convert.zoo.store.errors import StoreDamaged, StoreUnavailable
from convert.zoo.store.opening import open_store

__all__ = ["StageEntry", "Store", "StoreDamaged", "StoreUnavailable", "open_store"]
