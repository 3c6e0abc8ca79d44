"""Limited-precision arithmetic."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import said, says

LESSON = Lesson(
    number="05",
    titles={
        "precision.one_number": "One number, bit by bit",
        "precision.levels": "A trained network at b bits",
        "precision.sensitivity": "Which layer suffers",
        "precision.relu_graph": "The quantized ReLU, computing",
        "precision.low_precision_training": "Training at b bits",
    },
    misconceptions=(
        Misconception(
            claim="float16 and bfloat16 are two names for half precision.",
            truth="Both have 16 bits, but float16 spends 5 on the exponent and 10 on the mantissa, bfloat16 8 and 7. One keeps digits, the other keeps the range of float32.",
            panel="precision.one_number",
            steps=(
                Step(
                    {"A number": "70000"},
                    "infinity: in float16 70000 is too large.",
                    lambda p: says(p, "kept as inf", "too large"),
                ),
                Step(
                    {"Format": "bfloat16"},
                    "70144: bfloat16 reaches so far, with fewer digits.",
                    lambda p: says(p, "kept as 70144"),
                ),
                Step(
                    {"A number": "1.001"},
                    "1: its few digits do not tell 1.001 from 1.",
                    lambda p: says(p, "kept as 1:"),
                ),
            ),
        ),
        Misconception(
            claim="float32 stores 0.1 exactly; only few bits make errors.",
            truth="No binary format of finite length holds 0.1: it is no finite sum of powers of two. Fewer bits make the error larger, they do not begin it. 0.5 is exact in each of them.",
            panel="precision.one_number",
            steps=(
                Step(
                    {"Format": "float32"},
                    "0.100000001: off by one part in 67 million.",
                    lambda p: says(p, "kept as 0.100000001"),
                ),
                Step(
                    {"A number": "0.5", "Format": "float16"},
                    "exactly the number that was asked for.",
                    lambda p: says(p, "exactly the number that was asked for"),
                ),
            ),
        ),
        Misconception(
            claim="Each bit that is taken away costs about the same accuracy.",
            truth="Down to about 5 bits nothing happens; below that each bit costs more than the one before, because it doubles the distance between the levels.",
            panel="precision.levels",
            steps=(
                Step(
                    {"Bits b": "5"},
                    "as many digits right as in float32, about 96 %.",
                    lambda p: abs(said(p, "at 5 bits #% are right") - said(p, "in float32 #%")) < 1,
                ),
                Step(
                    {"Bits b": "3"},
                    "two percent fewer.",
                    lambda p: 0.5 < said(p, "in float32 #%") - said(p, "at 3 bits #% are right") < 5,
                ),
                Step(
                    {"Bits b": "2"},
                    "ten percent fewer.",
                    lambda p: 5 < said(p, "in float32 #%") - said(p, "at 2 bits #% are right") < 20,
                ),
            ),
        ),
        Misconception(
            claim="The smaller the error of the weights, the better the network.",
            truth="The error of the weights is not the error of the network. A range for each row moves the weights less, and at 2 bits the network gets fewer digits right for it.",
            panel="precision.levels",
            steps=(
                Step(
                    {"Bits b": "2"},
                    "that a weight moves by 0.076 on average, and about 86 % right.",
                    lambda p: said(p, "moves by # on average") > 0.07 and said(p, "at 2 bits #% are right") > 84,
                ),
                Step(
                    {"A range for": "each row"},
                    "that a weight moves by 0.048 on average, and about 83 % right.",
                    lambda p: said(p, "moves by # on average") < 0.06 and said(p, "at 2 bits #% are right") < 85,
                ),
            ),
        ),
        Misconception(
            claim="A network that computes well with 6 bits can be trained with 6 bits.",
            truth="A step η · gradient is mostly smaller than half of the distance between two such numbers, so rounding to the nearest throws it away. The updates need more bits, or rounding at random, which is right on average.",
            panel="precision.low_precision_training",
            steps=(
                Step(
                    {"Bits b of computing": "6", "Bits b′ of the updates": "6 bits", "Train live": "on"},
                    "a training that gets stuck with little more than half of the digits right.",
                    lambda p: said(p, ": #% right") < 70,
                ),
                Step(
                    {"Round updates at random": "on"},
                    "more than 90 % right, with the same 6 bits.",
                    lambda p: said(p, ": #% right") > 90,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="Fixed point with 8 bits, 6 of them for the fraction: what becomes of 0.000001, and what of 2?",
            answer="0.000001 becomes 0, because the step is 1/64. 2 does not fit: the greatest number is 127/64 = 1.984375.",
            panel="precision.one_number",
            steps=(
                Step(
                    {"A number": "0.000001", "Format": "fixed point"},
                    "0: the number is lost.",
                    lambda p: says(p, "kept as 0:", "is lost"),
                ),
                Step({"A number": "2"}, "1.984375.", lambda p: says(p, "kept as 1.984375")),
            ),
        ),
        Question(
            ask="How many different values has a layer at 2 bits, with affine and with symmetric codes?",
            answer="Four, and three: symmetric codes leave one of the four unused, so that the range is the same on both sides of 0. Here the network does not survive it.",
            panel="precision.levels",
            steps=(
                Step(
                    {"Bits b": "2"},
                    "4 different values, about 86 % right.",
                    lambda p: says(p, "W1 has 4 different values") and said(p, "at 2 bits #% are right") > 80,
                ),
                Step(
                    {"Codes": "symmetric"},
                    "3 different values, about a quarter right.",
                    lambda p: says(p, "W1 has 3 different values") and said(p, "at 2 bits #% are right") < 40,
                ),
            ),
        ),
        Question(
            ask="At 2 bits, one layer at a time: will the first layer, with more than half of the weights, suffer most?",
            answer="No, least. The small last layer suffers most: its few weights decide directly.",
            panel="precision.sensitivity",
            steps=(
                Step(
                    {"Bits b": "2"},
                    "the bar of W1 as the highest of the three, that of W3 as the lowest.",
                    lambda p: said(p, "only W1 #%") > said(p, "only W2 #%") > said(p, "only W3 #%"),
                ),
            ),
        ),
        Question(
            ask="In whole numbers, what is max(0, x)? Which error does it add?",
            answer="max(q, z), one comparison with the code z that stands for 0. It adds none: all of the error, at most half a step, comes from quantizing.",
            panel="precision.relu_graph",
            steps=(
                Step(
                    {},
                    "that 0 is code 64, and the ReLU one comparison with 64.",
                    lambda p: says(p, "0 is code 64", "one comparison of whole numbers with 64"),
                ),
                Step(
                    {"Least input, min": "0"},
                    "that 0 is code 0: the ReLU has nothing left to do.",
                    lambda p: says(p, "0 is code 0"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "two quantizers to write; exercise 05 asks for others"),
        Skip(4, "figure 12 is a picture of one comparison; the question for class shows it in a minute"),
        Skip(3, "which layer minds is a question of practice"),
    ),
)
