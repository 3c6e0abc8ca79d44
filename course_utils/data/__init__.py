"""Data sets as tensors: `load_dataset` gives a training and a test part that fit a network as they are.

`dataset` has the value, `load` the catalogue, `tabular` and `vision` what is published as tables and as images,
`sources` the downloads; `augment` and `corruption` change a data set, `imagenet` reads images class by class.
"""

from course_utils.data.dataset import Dataset
from course_utils.data.load import available, is_local, load_dataset
from course_utils.data.sources import DataError, data_root

__all__ = ["DataError", "Dataset", "available", "data_root", "is_local", "load_dataset"]
