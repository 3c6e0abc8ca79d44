"""Deep Compression for real: prune, share, code, and write one file (Han, Mao, Dally 2015; lecture, section 07)."""

from course_utils.compress.network import CompressedModel
from course_utils.compress.pipeline import compress
from course_utils.compress.recipe import Recipe

__all__ = ["CompressedModel", "Recipe", "compress"]
