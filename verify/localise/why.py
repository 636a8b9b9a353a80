"""Why an op is wrong, as far as its file tells: what its options and constants are in which the trusted op differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from verify.localise.axes import best_likeness
from verify.localise.steps import Values

_SAME_DB = 90.0
_ALIKE_DB = 6.0
_MOST_TOLD = 3


@dataclass(frozen=True)
class Details:
    """An op's options as written, and its constants by the input that they are: ``input 1`` …

    ``format`` tells whose names of options these are.
    """

    format: str
    options: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Values] = field(default_factory=dict)


def difference(trusted: Details, judged: Details) -> str:
    """One sentence or more on what is another; empty where nothing is, or where the two cannot be compared."""
    told = [*_options(trusted, judged), *_constants(trusted, judged)]
    return " ".join(told[:_MOST_TOLD])


def _options(trusted: Details, judged: Details) -> Iterator[str]:
    if trusted.format != judged.format:
        return
    for name in dict.fromkeys((*trusted.options, *judged.options)):
        own, theirs = judged.options.get(name, "not given"), trusted.options.get(name, "not given")
        if own != theirs:
            yield f"Its option {name} is {own}, the trusted op's is {theirs}."


def _constants(trusted: Details, judged: Details) -> Iterator[str]:
    same_format = trusted.format == judged.format
    for name, own in judged.constants.items():
        theirs = trusted.constants.get(name) if same_format else _counterpart(trusted, own)
        if theirs is None or theirs.dtype != own.dtype:
            continue
        if theirs.shape != own.shape:
            yield f"Its {name} has the shape {own.shape}, the trusted op's {theirs.shape}."
        elif not np.array_equal(own, theirs, equal_nan=own.dtype.kind == "f"):
            yield from _values(name, theirs, own, exact=same_format)


def _counterpart(trusted: Details, own: Values) -> Values | None:
    """The trusted op's constant that this one may be, in this one's order of axes: one that is nearly like it."""
    if own.dtype.kind != "f" or own.size < 2:
        return None
    found = [
        (likeness.sqnr_db, likeness.axes.judged(each[None])[0])
        for each in trusted.constants.values()
        if each.dtype.kind == "f" and (likeness := best_likeness(each[None], own[None], _ALIKE_DB)) is not None
    ]
    return max(found, key=lambda each: each[0])[1] if found else None


def _values(name: str, theirs: Values, own: Values, *, exact: bool) -> Iterator[str]:
    apart = np.abs(own.astype(np.float64) - theirs.astype(np.float64))
    size = float(np.abs(theirs.astype(np.float64)).max(initial=0.0))
    bound = 0.0 if exact else size * 10 ** (-_SAME_DB / 20)
    other = int((apart > bound).sum())
    if not other:
        return
    ratio = _ratio(theirs, own)
    if ratio is not None:
        yield f"Its {name} is the trusted op's times {ratio:.4g}."
    elif own.size <= 8:
        yield f"Its {name} is {_list(own)}, the trusted op's is {_list(theirs)}."
    else:
        yield (
            f"Of its {name}, {other} of {own.size} values are not the trusted op's, the furthest by "
            f"{float(apart.max()):.3g} (the trusted op's go up to {size:.3g})."
        )


def _list(values: Values) -> str:
    return f"[{', '.join(f'{value:.4g}' for value in values.ravel().tolist())}]"


def _ratio(theirs: Values, own: Values) -> float | None:
    if own.dtype.kind != "f" or own.size < 2:
        return None
    wanted, given = theirs.astype(np.float64).ravel(), own.astype(np.float64).ravel()
    signal = float(wanted @ wanted)
    ratio = float(wanted @ given) / signal if signal else 0.0
    return ratio if ratio and np.allclose(given, ratio * wanted, rtol=1e-5, atol=1e-7) else None
