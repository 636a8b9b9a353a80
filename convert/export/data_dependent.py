"""Python that reads a number out of a tensor to decide what to do next: what to write instead, judged by its line.

torch.export captures a graph, and a graph has no Python in it: what a value of the data decides has to be decided by an
operator. Which one helps depends on what the line decides.
"""

from __future__ import annotations

import re

_BRANCH = (
    "write the branch as torch.where(condition, one, other) where both sides can be computed, or as "
    "torch.cond(predicate, true_fn, false_fn, (x,)), which becomes an If"
)
_LOOP = (
    "take a fixed number of turns (a Python for loop over a range is written out) and keep what is finished with "
    "torch.where; or use torch._higher_order_ops.while_loop(cond_fn, body_fn, (x,)), which becomes a While; or export "
    "one turn as a model of its own and loop in the program that runs it"
)
_STRUCTURE = (
    "let the structure be known before the data is: make the tree, the lengths or the number of steps an argument of "
    "the class (--arch-arg) and export a model for each; or export the cell alone, its states as inputs and outputs, "
    "and walk the structure in the program that runs it"
)
_NUMBER = (
    "keep the number in a tensor: index with torch.gather or index_select, choose with torch.where, scale by "
    "multiplying; .item(), int() and float() read it while the graph is captured, when there is none"
)
_CHOICE = (
    "compute every candidate and choose with torch.where, or with torch.stack and torch.gather; two modules can stand "
    "in torch.cond(predicate, one, other, (x,)), which becomes an If and runs only the chosen one"
)
_SELECTION = (
    "the number of selected elements is known only when the model runs: multiply by the mask, or use torch.where or "
    "a fixed torch.topk"
)
_CHECK = "leave the check out of forward, or say it as torch._check(condition)"

_REMEDIES = (
    (r"^\s*while\b", _LOOP),
    (r"^\s*assert\b", _CHECK),
    (r"\.tolist\(\)|\brange\(|^\s*for\b", _STRUCTURE),
    (r"\.nonzero\(|\bnonzero\(|masked_select|\bunique\(", _SELECTION),
    (r"^\s*(el)?if\b|\bif\b.+\belse\b|\bnot\b|\bbool\(", _BRANCH),
    (r"\[.*(\bint\(|\.item\(\))", _CHOICE),
    (r"\.item\(\)|\bint\(|\bfloat\(", _NUMBER),
    (r"\[", _STRUCTURE),
)


def remedy(source_line: str | None) -> str:
    """What would help at ``net.py:31, in forward: if x.sum() > 0:``; the branch's remedy if the line is not known."""
    code = (source_line or "").partition(", in ")[2].partition(": ")[2]
    return next((text for pattern, text in _REMEDIES if re.search(pattern, code)), _BRANCH)
