"""The networks of notebook 02, trained for a moment on few rows: once for all tests, which leave them as they are."""

from functools import cache

from course_utils.data import Dataset, load_dataset
from course_utils.experiments.applications.captions import Spellers, spellers
from course_utils.experiments.applications.classifier import Classifiers, classifiers
from course_utils.experiments.applications.translator import Translators

__all__ = ["few_digits", "trained_classifiers", "trained_spellers", "trained_translators"]


@cache
def few_digits() -> Dataset:
    return load_dataset("digits").subset(500)


@cache
def trained_classifiers() -> Classifiers:
    return classifiers(few_digits(), epochs=3)


@cache
def trained_spellers() -> Spellers:
    return spellers(few_digits(), epochs=4)


@cache
def trained_translators() -> Translators:
    return Translators(few_digits(), trained_classifiers(), epochs=2)
