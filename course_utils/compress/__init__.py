"""Deep Compression (Han, Mao, Dally 2015; lecture, section 07): prune, share and code a network, and write one file.

`recipe` says what is done, `pipeline` does it: `stages` are the trainings that prune and share gradually, `trainer`
runs every training on one `transfer_set`, `units` takes hidden units out. `network` is the result with its file,
`report` its bytes, `codes` its layers that compute from the codes.
"""

from course_utils.compress.network import CompressedModel
from course_utils.compress.pipeline import compress
from course_utils.compress.recipe import Recipe

__all__ = ["CompressedModel", "Recipe", "compress"]
