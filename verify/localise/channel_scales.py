"""Channels that a judged model holds at another scale: its weights before are larger by that, those after smaller.

Equalisation (arXiv:1906.04721) and what is alike do so on purpose. Whether the ops that read such a tensor take the
scale back shows in what they give.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from verify.localise.steps import Values

_SMALLEST = 0.01
"""Of a scale: a channel that is smaller is gone."""

_SURE = 16.0
"""Squared standard errors: a scale is one if the squared error falls by so many times what is left of it a value."""

_FEWER = 4.0
"""By how much the squared error of a channel must fall besides, if what is left is more than rounding."""

_CLEARLY, _CHANNELS, _TENSORS = 1.05, 2, 2
"""Times another scale, in so many channels of so many tensors: that is meant."""


def channel_scales(trusted: Values, judged: Values, step: float) -> Values | None:
    """Scale of each channel (last axis) by which ``judged`` is ``trusted``, 1 where that is no better; or ``None``.

    Both real-valued, of one shape ``(samples, …, channels)``; the judged one is rounded to steps of ``step``.
    """
    if trusted.shape != judged.shape or trusted.ndim < 2 or not trusted.size or trusted.dtype.kind != "f":
        return None
    axes = tuple(range(trusted.ndim - 1))
    wanted, given = trusted.astype(np.float64), judged.astype(np.float64)
    if not (np.isfinite(wanted).all() and np.isfinite(given).all()):
        return None
    energy = np.square(wanted).sum(axis=axes)
    factor = (wanted * given).sum(axis=axes) / np.where(energy > 0, energy, 1.0)
    before = np.square(given - wanted).sum(axis=axes)
    after = np.square(given - wanted * factor).sum(axis=axes)
    count = wanted.size / wanted.shape[-1]
    sure = before - after > _SURE * after / count
    fits = (after < count * step**2) | (after * _FEWER < before)
    meant = (factor > _SMALLEST) & sure & fits
    if not meant.any():
        return None
    scales: Values = np.where(meant, factor, 1.0).astype(trusted.dtype)
    return scales


def rescaled_on_purpose(scales: Iterable[Values | None]) -> bool:
    """Whether so many tensors have channels at clearly other scales that no single op that is wrong explains it."""
    return sum(each is not None and _clearly(each) for each in scales) >= _TENSORS


def _clearly(scales: Values) -> bool:
    return int((np.abs(np.log(scales)) > np.log(_CLEARLY)).sum()) >= _CHANNELS
