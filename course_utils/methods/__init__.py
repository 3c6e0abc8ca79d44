"""The methods of the lecture, one module each; they need torch and NumPy alone, and none of them trains a network.

    smaller weights      penalties (04)  prune, lottery, movement, semi_structured (07)  lowrank (07)
    fewer bits           quantize (05)   binarize (06)  codebook (07)
    smaller networks     narrow (04)  predict_parameters (03)  distill (08)  activations (09)
    what they stand on   weights (of a network)  after_step (an action after each step of any optimizer)

In brackets the section of the lecture. A module offers functions of tensors, and below them what works on a network:

>>> from course_utils.methods import penalties, quantize
"""
