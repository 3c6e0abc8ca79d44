"""Conclusions."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

PENALTY, RANK, STUDENT = "sparse group penalty (04)", "low rank (07)", "small student (08)"
KAF, PRUNE, SIGNS = "KAF, half the neurons (09)", "prune 85 % (07)", "one bit each (06)"
FEW, SHARE, CODER = "4-bit min-max (05)", "8 shared values (07)", "entropy coder (07)"

LESSON = Lesson(
    number="10",
    titles={
        "levels": "A trained network at b bits",
        "storage.codebook": "Weights that share values",
        "closing.everything": "The whole course on one network",
    },
    misconceptions=(
        Misconception(
            claim="An entropy coder makes any file smaller.",
            truth="It needs frequent values. Hardly any two weights in float32 are equal; only once a method has made them equal is there something to code.",
            panel="closing.everything",
            steps=(
                Step(
                    {CODER: "on"},
                    "a file as large as that of the dense network.",
                    lambda p: says(p, "about as large as the dense weights"),
                ),
                Step(
                    {PRUNE: "on", SHARE: "on"},
                    "a file some 20 times smaller, once weights are pruned and share values.",
                    lambda p: number_in(p, "bytes, # times smaller") > 15,
                ),
            ),
        ),
        Misconception(
            claim="Two methods that each save a factor of eight together save a factor of 64.",
            truth="Only if they remove different redundancy. 4 bits per weight and 8 shared values remove the same: the second finds little left to save.",
            panel="closing.everything",
            steps=(
                Step(
                    {CODER: "on", PRUNE: "on", SHARE: "on"},
                    "a file about 20 times smaller.",
                    lambda p: number_in(p, "bytes, # times smaller") > 15,
                ),
                Step(
                    {FEW: "on"},
                    "a file of about the same size with 4 bits added.",
                    lambda p: 15 < number_in(p, "bytes, # times smaller") < 26,
                ),
            ),
        ),
        Misconception(
            claim="With 2 bits per weight a network can only guess.",
            truth="With four values placed where the weights are the accuracy of this network is about 87 %, with four evenly spaced ones about 86 %, with floats 96 %, all without retraining. (The first network was pruned before, which costs some accuracy.)",
            panel="storage.codebook",
            steps=(
                Step(
                    {},
                    "4 shared values, 2 bits, and an accuracy of about 87 %; the panel above it has about 86 % with 2-bit codes.",
                    lambda p: (
                        says(p, "4 centroids, bits per weight: 2")
                        and abs(number_in(p, "in all layers the accuracy is #%") - 87) < 4
                    ),
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="How many values does a codebook have at 4 bits per weight, and how many at 2?",
            answer="16, and 4.",
            panel="storage.codebook",
            steps=(
                Step(
                    {"Centroids k": "16"},
                    "bits per weight: 4.",
                    lambda p: says(p, "16 centroids, bits per weight: 4"),
                ),
                Step(
                    {"Centroids k": "4"},
                    "bits per weight: 2.",
                    lambda p: says(p, "4 centroids, bits per weight: 2"),
                ),
            ),
        ),
        Question(
            ask="At 4 bits the accuracy of the course's network is about 96 %. What do you expect at 2 bits?",
            answer="About 86 %: four levels per layer are too coarse, but not useless.",
            panel="levels",
            steps=(
                Step(
                    {"Bits b": "4"},
                    "an accuracy of about 96 % at 4 bits.",
                    lambda p: number_in(p, "at 4 bits the accuracy is #%") > 94,
                ),
                Step(
                    {"Bits b": "2"},
                    "an accuracy of about 86 % at 2 bits.",
                    lambda p: 80 < number_in(p, "at 2 bits the accuracy is #%") < 92,
                ),
            ),
        ),
        Question(
            ask="Is the file with every method switched on the best one?",
            answer="No: much of the accuracy is lost, and other files are both smaller and more accurate. Compression means choosing, not collecting.",
            panel="closing.everything",
            steps=(
                Step(
                    {CODER: "on", PRUNE: "on", SHARE: "on"},
                    "an accuracy of about 95 % in a file about 20 times smaller, with two methods and the coder.",
                    lambda p: number_in(p, "accuracy #%") > 92,
                ),
                Step(
                    {PENALTY: "on", RANK: "on", STUDENT: "on", KAF: "on", SIGNS: "on", FEW: "on"},
                    "a far lower accuracy with everything on.",
                    lambda p: p.result.now.accuracy < 0.8,
                ),
            ),
        ),
    ),
    skip=(
        Skip(4, "pairs of methods to try, at home"),
        Skip(3, "two tables to read"),
        Skip(1, "the table of the methods can be shown while the networks of section 2 train"),
    ),
)
