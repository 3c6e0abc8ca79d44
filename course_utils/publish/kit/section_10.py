"""Conclusions."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import said, says

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
            truth="It needs values that are frequent. Hardly any two weights in float32 are equal; only once a method has made them equal there is something to code.",
            panel="closing.everything",
            steps=(
                Step(
                    {CODER: "on"},
                    "a file as large as the dense network's.",
                    lambda p: says(p, "about as large as the dense weights"),
                ),
                Step(
                    {PRUNE: "on", SHARE: "on"},
                    "a file some 20 times smaller, once weights are removed and share values.",
                    lambda p: said(p, "bytes, # times smaller") > 15,
                ),
            ),
        ),
        Misconception(
            claim="Two methods that each save a factor of eight save a factor of 64 together.",
            truth="Only if they remove different waste. 4 bits for a weight and 8 shared values are two answers to one question: the second finds little left to save.",
            panel="closing.everything",
            steps=(
                Step(
                    {CODER: "on", PRUNE: "on", SHARE: "on"},
                    "a file about 20 times smaller.",
                    lambda p: said(p, "bytes, # times smaller") > 15,
                ),
                Step(
                    {FEW: "on"},
                    "a file of about the same size with 4 bits added.",
                    lambda p: 15 < said(p, "bytes, # times smaller") < 26,
                ),
            ),
        ),
        Misconception(
            claim="With 2 bits for each weight a network can only guess.",
            truth="Four values that lie where the weights are keep about 87 % right here, and four evenly spaced ones about 86 %, of 96 % with floats, and nothing was trained after it. (The first network was pruned before, which costs some of it.)",
            panel="storage.codebook",
            steps=(
                Step(
                    {},
                    "4 shared values, 2 bits, and about 87 % right; the panel above it has about 86 % with 2-bit codes.",
                    lambda p: (
                        says(p, "4 centroids, bits for each weight: 2")
                        and abs(said(p, "shared so, #% are right") - 87) < 4
                    ),
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="How many values does a codebook need for 4 bits a weight, and how many for 2?",
            answer="16, and 4.",
            panel="storage.codebook",
            steps=(
                Step(
                    {"Centroids k": "16"},
                    "bits for each weight: 4.",
                    lambda p: says(p, "16 centroids, bits for each weight: 4"),
                ),
                Step(
                    {"Centroids k": "4"},
                    "bits for each weight: 2.",
                    lambda p: says(p, "4 centroids, bits for each weight: 2"),
                ),
            ),
        ),
        Question(
            ask="At 4 bits the network of the course gets about 96 % right. What do you expect at 2 bits?",
            answer="About 86 %: four levels for a layer are too coarse, but not useless.",
            panel="levels",
            steps=(
                Step({"Bits b": "4"}, "about 96 % right at 4 bits.", lambda p: said(p, "at 4 bits #% are right") > 94),
                Step(
                    {"Bits b": "2"},
                    "about 86 % right at 2 bits.",
                    lambda p: 80 < said(p, "at 2 bits #% are right") < 92,
                ),
            ),
        ),
        Question(
            ask="Is the file with every method switched on the best?",
            answer="No: much of the accuracy is gone, and other files are smaller and better. Compression is choosing, not collecting.",
            panel="closing.everything",
            steps=(
                Step(
                    {CODER: "on", PRUNE: "on", SHARE: "on"},
                    "about 95 % right in a file about 20 times smaller, with two methods and the coder.",
                    lambda p: said(p, "smaller than the dense weights, #% right") > 92,
                ),
                Step(
                    {PENALTY: "on", RANK: "on", STUDENT: "on", KAF: "on", SIGNS: "on", FEW: "on"},
                    "far fewer right with everything on.",
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
