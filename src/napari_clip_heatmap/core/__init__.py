"""Exact algebra of the text-based decomposition: tensors in, tensors out.

Nothing here knows a model class, a file or a layer of the viewer. The one table of shapes:

======================  ==========================================  ===============================
name                    shape                                       unit
======================  ==========================================  ===============================
batch                   ``[batch, rgb, y, x]``                      preprocessed pixel
stream                  ``[batch, token, d_model]``                 residual stream
weights                 ``[batch, token, head]``                    attention of the pooled query
shares                  ``[batch, token, head, d_head]``            weight times value vector
constant                ``[d_model]`` or ``[batch, d_model]``       residual stream
attention               ``[batch, layer, token, head, d_embed]``    cosine, once dotted with text
mlp                     ``[batch, layer + 1, d_embed]``             cosine, once dotted with text
tokens (token map)      ``[batch, grid_y, grid_x, d_embed]``        cosine, once dotted with text
representation          ``[batch, d_embed]``                        un-normalised embedding
directions              ``[prompt, d_embed]``                       unit vectors
======================  ==========================================  ===============================

Token 0 is the class token; patches follow in rows from the top left.
"""

from __future__ import annotations
