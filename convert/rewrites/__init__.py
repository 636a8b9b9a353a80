"""One file an ONNX graph rewrite: what it matches, why it is exact, which case asked for it.

Each file has a function ``rewrite(model) -> tuple[RewriteNote, ...]`` that edits the model in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convert.rewrites.note import RewriteNote

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["RewriteNote", "apply_all"]


def apply_all(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Apply every rewrite, in place, and drop what nothing uses any more; outputs and their names stay as they are."""
    from convert.rewrites import (
        batch_norm_after_matmul,
        batch_norm_before,
        channel_shuffle,
        group_norm,
        identity_pool,
        image_of_vector,
        joined_constant,
        local_response_norm,
        matrix_transpose,
        mean_then_flatten,
        padded_max_pool,
        parallel_dense,
        pixel_shuffle,
        pool_of_convolution,
        reshape_of_reshape,
        scaled_weights,
        separate_projections,
        static_reshape,
        transposed_convolution,
        zero_initial_state,
    )
    from convert.rewrites.graph import infer_missing_shapes, remove_unused

    infer_missing_shapes(model)
    notes = [
        *static_reshape.rewrite(model),
        *matrix_transpose.rewrite(model),
        *identity_pool.rewrite(model),
        *local_response_norm.rewrite(model),
        *group_norm.rewrite(model),
        *_batch_norms_and_branches(model),
        *parallel_dense.rewrite(model),
        *batch_norm_after_matmul.rewrite(model),
        *batch_norm_before.rewrite(model),
        *reshape_of_reshape.rewrite(model),
        *channel_shuffle.rewrite(model),
        *pixel_shuffle.rewrite(model),
        *transposed_convolution.rewrite(model),
        *mean_then_flatten.rewrite(model),
        *pool_of_convolution.rewrite(model),
        *padded_max_pool.rewrite(model),
        *zero_initial_state.rewrite(model),
        *joined_constant.rewrite(model),
        *separate_projections.rewrite(model),
        *scaled_weights.rewrite(model),
        *image_of_vector.rewrite(model),
    ]
    remove_unused(model)
    return tuple(notes)


def _batch_norms_and_branches(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Batch norms fold into branches, branches become one, and what follows their sum folds into that."""
    from convert.rewrites import batch_norm_after, parallel_convolutions

    folded, merged = batch_norm_after.rewrite(model), parallel_convolutions.rewrite(model)
    if not merged:
        return folded
    return (*(note for note in folded if note.applied), *merged, *batch_norm_after.rewrite(model))
