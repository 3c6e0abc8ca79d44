"""Sparse and group-sparse penalties, their proximal steps, and the sparsity of a network (lecture, section 04).

A penalty maps a tensor `w` of any floating dtype to a 0-d tensor of that dtype; autograd gives it the gradient 0 at 0.
`prox_*` is argmin_v step * penalty(v) + ||v - w||^2 / 2 (Parikh, Boyd 2014, *Proximal algorithms*): a new tensor of w's
shape and dtype, with exact zeros where a gradient step on the penalty would only come near them. For all of them:

- a group runs along `dim`: an int, or several, reduced over; dim=0 of a Linear weight (out, in) is the outgoing weights
  of each input;
- `step` and `l1_ratio` are numbers or tensors that broadcast against w with the reduced dimensions as 1, so networks
  stacked into (S, out, in) take one step each as (S, 1, 1). A tensor's values are not checked: torch.func.vmap works;
- NaN stays NaN and makes all of its group NaN; a group with an infinity stays as it is; step=0 changes nothing;
- float16 and bfloat16 are computed in float32 and rounded once, at the end.

TypeError: w is not a floating tensor. ValueError: step < 0, l1_ratio outside [0, 1], a tensor that does not broadcast,
a wrong `dim`.
"""

from course_utils.methods.penalties.groups import parameter_groups
from course_utils.methods.penalties.norms import elastic_net, group, l1, l2, sparse_group
from course_utils.methods.penalties.proximal import prox_elastic_net, prox_group, prox_l1, prox_l2, prox_sparse_group
from course_utils.methods.penalties.regularizer import Regularizer
from course_utils.methods.penalties.zeros import active_neurons, sparsity

__all__ = [
    "Regularizer",
    "active_neurons",
    "elastic_net",
    "group",
    "l1",
    "l2",
    "parameter_groups",
    "prox_elastic_net",
    "prox_group",
    "prox_l1",
    "prox_l2",
    "prox_sparse_group",
    "sparse_group",
    "sparsity",
]
