"""What people run into when they convert PyTorch models, each recognised, explained and given its remedy.

``layers`` looks at a module before it is exported, ``programs`` at the captured graph, ``failures`` at what an exporter
raised; each gives an :class:`Explanation` or ``None``. ``docs/troubleshooting.md`` has an entry for each of ``TITLES``.
"""

from convert.export.known_errors.explanation import TITLES, Explanation

__all__ = ["TITLES", "Explanation"]
