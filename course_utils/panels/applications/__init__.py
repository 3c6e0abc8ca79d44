"""The panels of notebook 02, some applications of neural networks."""

from course_utils.experiments.applications.agent import agent
from course_utils.experiments.applications.captions import spellers
from course_utils.experiments.applications.classifier import classifiers
from course_utils.experiments.applications.sizes import networks, sizes
from course_utils.experiments.applications.translator import translators
from course_utils.panels.applications.captions import captions
from course_utils.panels.applications.classification import classification
from course_utils.panels.applications.depth import depth
from course_utils.panels.applications.giants import giants
from course_utils.panels.applications.imagenet import imagenet
from course_utils.panels.applications.live_agent import live_agent
from course_utils.panels.applications.live_captions import live_captions
from course_utils.panels.applications.translation import translation

__all__ = [
    "agent",
    "captions",
    "classification",
    "classifiers",
    "depth",
    "giants",
    "imagenet",
    "live_agent",
    "live_captions",
    "networks",
    "sizes",
    "spellers",
    "translation",
    "translators",
]
