"""The panels of notebook 02, some applications of neural networks."""

from course_utils.panels.applications.agent import agent, live_agent
from course_utils.panels.applications.captions import captions, spellers
from course_utils.panels.applications.captions_live import live_captions
from course_utils.panels.applications.classifier import classification, classifiers
from course_utils.panels.applications.depth import depth
from course_utils.panels.applications.giants import giants, networks, sizes
from course_utils.panels.applications.imagenet import imagenet
from course_utils.panels.applications.translation import translation
from course_utils.panels.applications.translator import translators

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
