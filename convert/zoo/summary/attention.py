"""What a person has to look at, most severe first: rows that are not as expected, those of one cause together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convert.zoo.summary.standing import exit_code, label
from convert.zoo.summary.types import Standing, ZooRow
from verify.errors import ExitCode

_FIXES = {
    Standing.EXPIRED: "mend it, or give the expectation a new day and say why",
    Standing.UNEXPECTED_PASS: "take the expectation out of the manifest",
    Standing.NOT_RUN: "run the same command again: what is done is not done twice",
}

_SEVERITY = (
    ExitCode.INFRASTRUCTURE,
    ExitCode.CONVERSION_FAILED,
    ExitCode.BAD_INPUT,
    ExitCode.PARITY_FAILED,
    ExitCode.INCONCLUSIVE,
    ExitCode.PASS,
)
_STANDINGS = tuple(Standing)


@dataclass(frozen=True)
class Cause:
    """Rows that failed in the same words: mend it once."""

    why: str
    fix: str
    rows: tuple[ZooRow, ...]


@dataclass(frozen=True)
class Group:
    """All rows that ended in one way and are not as expected."""

    standing: Standing
    label: str
    causes: tuple[Cause, ...]

    @property
    def rows(self) -> tuple[ZooRow, ...]:
        """All of its rows."""
        return tuple(row for cause in self.causes for row in cause.rows)


def groups(rows: Sequence[ZooRow]) -> tuple[Group, ...]:
    """Rows whose standing is not acceptable, by standing and outcome; causes that many share come first."""
    found: dict[tuple[Standing, str], list[ZooRow]] = {}
    for row in rows:
        if not row.standing.acceptable:
            found.setdefault((row.standing, label(row)), []).append(row)
    made = [Group(standing, name, _causes(members)) for (standing, name), members in found.items()]
    return tuple(sorted(made, key=_severity))


def _severity(group: Group) -> tuple[int, int, int]:
    return _SEVERITY.index(exit_code(group.rows)), _STANDINGS.index(group.standing), -len(group.rows)


def _causes(rows: Sequence[ZooRow]) -> tuple[Cause, ...]:
    found: dict[tuple[str, str], list[ZooRow]] = {}
    for row in rows:
        found.setdefault((row.why, _fix(row)), []).append(row)
    causes = [Cause(why, fix, tuple(members)) for (why, fix), members in found.items()]
    return tuple(sorted(causes, key=lambda cause: -len(cause.rows)))


def _fix(row: ZooRow) -> str:
    told = row.result.fix if row.result else ""
    return _FIXES.get(row.standing, told)
