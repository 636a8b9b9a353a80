"""Which tensors of the trusted model a judged tensor may be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from verify.localise.axes import Likeness, best_likeness, likeness_db
from verify.localise.fingerprint import Fingerprint, fingerprint
from verify.localise.graph import REARRANGING
from verify.localise.recording import Recording
from verify.localise.steps import Values

_AS_GOOD_DB = 100.0
"""Above this two candidates are equally good: rounding decides between them."""


@dataclass(frozen=True)
class Found:
    """A trusted tensor that a judged one resembles."""

    trusted: str
    likeness: Likeness


class Candidates:
    """The trusted model's tensors that depend on its inputs, by size, with their fingerprints and ancestors."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        graph = recording.graph
        of_inputs = graph.of_inputs()
        self.order = [name for name in graph.inputs.values() if name in recording.dtypes]
        self._copies: set[str] = set()
        self._ancestors: dict[str, frozenset[str]] = {}
        for op in graph.ops:
            above = frozenset(op.inputs).union(*(self._ancestors.get(name, frozenset()) for name in op.inputs))
            for name in op.outputs:
                self._ancestors[name] = above
                if name in of_inputs and name in recording.dtypes:
                    self.order.append(name)
                    self._copies.update({name} if op.kind in REARRANGING else ())
        self.place = {name: at for at, name in enumerate(self.order)}
        self._fingerprints: dict[str, Fingerprint] = {}

    def values(self, trusted: str) -> Values:
        """Real values, ``(samples, *shape)``."""
        return self._recording.tensors[trusted]

    def has(self, trusted: str) -> bool:
        """Whether it was computed, and depends on the inputs."""
        return trusted in self.place

    def descends(self, trusted: str, ancestors: Collection[str]) -> bool:
        """Whether it is computed from all of them (or is one); always so where the model's structure is not known."""
        above = self._ancestors.get(trusted)
        return above is None or not above or all(name in above or name == trusted for name in ancestors)

    def of_size(self, size: int, ancestors: Collection[str]) -> list[str]:
        """Tensors of so many values a sample that are computed from the ancestors, in order."""
        return [name for name in self.order if self._print(name).size == size and self.descends(name, ancestors)]

    def best(
        self, judged: Values, at_least_db: float, ancestors: Collection[str], taken: Collection[str]
    ) -> Found | None:
        """The tensor most like these values: as good as any, then computed from the ancestors, not taken, soonest."""
        own = fingerprint(judged)
        found: list[Found] = []
        for name in self.order:
            if not self._print(name).near(own):
                continue
            likeness = best_likeness(self.values(name), judged, at_least_db)
            if likeness is not None:
                found.append(Found(name, likeness))
        return min(found, key=lambda each: self._rank(each, ancestors, taken), default=None)

    def has_as_it_is(self, judged: Values) -> bool:
        """Whether a trusted tensor is this one, axes in the same order."""
        own = fingerprint(judged)
        return any(
            self.values(name).shape == judged.shape
            and self._print(name).near(own)
            and likeness_db(self.values(name), judged) >= _AS_GOOD_DB
            for name in self.order
        )

    def _rank(self, found: Found, ancestors: Collection[str], taken: Collection[str]) -> tuple[object, ...]:
        return (
            not self.descends(found.trusted, ancestors),
            -min(found.likeness.sqnr_db, _AS_GOOD_DB),
            found.trusted in taken,
            found.trusted in self._copies,
            self.place[found.trusted],
        )

    def _print(self, name: str) -> Fingerprint:
        if name not in self._fingerprints:
            self._fingerprints[name] = fingerprint(self.values(name))
        return self._fingerprints[name]
