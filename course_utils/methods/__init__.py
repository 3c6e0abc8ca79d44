"""The methods of the lecture, one module each: torch alone, and none of them trains a network.

Smaller weights: `penalties`, `prune`, `lowrank`. Fewer bits: `quantize`, `binarize`, `codebook`. Smaller networks:
`distill`, `predict_parameters`, `activations`. `layers` says what the weights of a network are, and `after_step` runs
something after each step of any optimizer.
"""
