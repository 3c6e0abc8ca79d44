"""The panels of notebook 07, Deep Compression: pruning, sparse storage, shared values, Huffman codes, and the file."""

from course_utils.experiments.storage.frontier import Frontier, frontier
from course_utils.experiments.storage.pruning_path import PruningPath, pruning_path
from course_utils.panels.storage.codebooks import codebook
from course_utils.panels.storage.figure6 import figure6
from course_utils.panels.storage.pruning import pruning
from course_utils.panels.storage.spans import gaps
from course_utils.panels.storage.stack import stack
from course_utils.panels.storage.tree import huffman_tree

__all__ = [
    "Frontier",
    "PruningPath",
    "codebook",
    "figure6",
    "frontier",
    "gaps",
    "huffman_tree",
    "pruning",
    "pruning_path",
    "stack",
]
