"""Data sets as tensors: `load_dataset` gives a training and a test part that fit a network as they are."""

from course_utils.data.load import DataError, Dataset, at_hand, available, data_root, load_dataset

__all__ = ["DataError", "Dataset", "at_hand", "available", "data_root", "load_dataset"]
