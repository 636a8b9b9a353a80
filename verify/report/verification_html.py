"""``report.html`` of a verification: do the models agree, can this be shipped, and if not, where do they part?"""

from __future__ import annotations

import math

from verify.report import cards, words
from verify.report.plot_errors import HistogramPlot, ScatterPlot, draw_histogram, draw_scatter
from verify.report.templates import environment
from verify.report.types import EdgeReport, OutputComparison, Verdict
from verify.report.verification import NOT_FINITE_DB, Localisation, Verification
from verify.report.verification_cards import (
    DECISIONS,
    also_measured,
    beyond_outputs,
    drifts_to_tell,
    edge_name,
    layer_name,
    layer_sqnr,
    model_cards,
)
from verify.report.waterfall import Measured, Waterfall, draw_waterfall

_LYING, _UPRIGHT = (1080, 280), (340, 260)
_MOST_DB = 160.0


def render_html(verification: Verification) -> str:
    """The page: no script, no request to anywhere, every string of the verification escaped."""
    made = environment()
    made.filters |= {"edge_name": edge_name, "layer_name": layer_name, "layer_sqnr": layer_sqnr, "shape": _shape}
    return made.get_template("verification.html.j2").render(
        report=verification,
        symbols=cards.SYMBOLS,
        decisions=DECISIONS,
        cards=model_cards(verification),
        troubles=cards.edge_troubles(verification.edges),
        has_top1=any(edge.top1_agreement is not None for edge in verification.edges),
        batch_sizes=words.joined(_batch_sizes(verification.edges)),
        waterfalls=[(where, _waterfalls(where)) for where in verification.localisations],
        beyond=beyond_outputs(verification),
        said=[(edge_name(edge), told) for edge in verification.edges if (told := also_measured(edge))],
        changed=len(drifts_to_tell(verification)),
        pictures=_pictures(verification.edges),
    )


Pictured = tuple[EdgeReport, OutputComparison, HistogramPlot | None, ScatterPlot | None]


def _pictures(edges: tuple[EdgeReport, ...]) -> list[Pictured]:
    """What did not pass comes first, and is shown open."""
    found = [
        (edge, output, draw_histogram(output), draw_scatter(output))
        for edge in edges
        for output in edge.outputs
        if output.picture is not None and not output.identical
    ]
    return sorted(found, key=lambda pictured: pictured[1].verdict is Verdict.PASS)


def _waterfalls(where: Localisation) -> list[tuple[str, Waterfall]]:
    if not where.layers:
        return []
    layers = [
        Measured(layer_name(layer), _reached(layer.sqnr_db), _alone(layer.local_sqnr_db)) for layer in where.layers
    ]
    place = _culprit_index(where)
    culprit = None if place is None else (place, f"{where.layers[place].op} #{where.layers[place].op_index}")
    return [
        (kind, draw_waterfall(layers, *size, most_db=_MOST_DB, culprit=culprit))
        for kind, size in (("lying", _LYING), ("upright", _UPRIGHT))
    ]


def _reached(sqnr_db: float | None) -> float:
    """``None`` is no error at all."""
    return math.inf if sqnr_db is None else _alone(sqnr_db) or 0.0


def _alone(sqnr_db: float | None) -> float | None:
    """``None`` where it was not measured."""
    not_finite = sqnr_db is not None and (math.isnan(sqnr_db) or sqnr_db <= NOT_FINITE_DB)
    return -math.inf if not_finite else sqnr_db


def _culprit_index(where: Localisation) -> int | None:
    if where.culprit is None:
        return None
    named = where.culprit.layer
    if named in where.layers:
        return where.layers.index(named)
    return next((index for index, layer in enumerate(where.layers) if layer.op_index == named.op_index), None)


def _batch_sizes(edges: tuple[EdgeReport, ...]) -> tuple[str, ...]:
    return tuple(str(size) for size in sorted({size for edge in edges for size in edge.batch_sizes}))


def _shape(shape: tuple[int, ...]) -> str:
    return words.dims(shape)
