"""Exact algebra of the text-based decomposition: tensors in, tensors out.

Nothing here depends on a model class, a file or a viewer layer. All shapes, in one table:

======================  ==========================================  ===============================
name                    shape                                       unit
======================  ==========================================  ===============================
batch                   ``[batch, rgb, y, x]``                      preprocessed pixel
residual                ``[batch, token, d_model]``                 residual stream
weights                 ``[batch, token, head]``                    attention of the pooled query
head_contributions      ``[batch, token, head, d_head]``            weight times value vector
attn_bias               ``[d_model]`` or ``[batch, d_model]``       residual stream
mlp_out                 ``[batch, d_model]``                        residual stream
attention               ``[batch, layer, token, head, d_embed]``    cosine, once dotted with text
mlp                     ``[batch, layer + 1, d_embed]``             cosine, once dotted with text
tokens (token map)      ``[batch, grid_y, grid_x, d_embed]``        cosine, once dotted with text
representation          ``[batch, d_embed]``                        unnormalized embedding
directions              ``[prompt, d_embed]``                       unit vectors
======================  ==========================================  ===============================

Token 0 is the class token; the patches follow row by row from the top left.
"""

from __future__ import annotations
