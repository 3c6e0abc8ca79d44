"""Limited-precision arithmetic."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

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
                    lambda p: says(p, "stored as inf", "too large"),
                ),
                Step(
                    {"Format": "bfloat16"},
                    "70144: bfloat16 reaches that far, with fewer digits.",
                    lambda p: says(p, "stored as 70144"),
                ),
                Step(
                    {"A number": "1.001"},
                    "1: its few digits cannot distinguish 1.001 from 1.",
                    lambda p: says(p, "stored as 1:"),
                ),
            ),
        ),
        Misconception(
            claim="float32 stores 0.1 exactly; only formats with few bits have errors.",
            truth="No binary format of finite length holds 0.1: it is not a finite sum of powers of two. Fewer bits make the error larger, but it is there from the start. 0.5 is exact in each format.",
            panel="precision.one_number",
            steps=(
                Step(
                    {"Format": "float32"},
                    "0.100000001: off by one part in 67 million.",
                    lambda p: says(p, "stored as 0.100000001"),
                ),
                Step(
                    {"A number": "0.5", "Format": "float16"},
                    "exactly 0.5.",
                    lambda p: says(p, "exactly the number that you typed"),
                ),
            ),
        ),
        Misconception(
            claim="Each bit that is removed costs about the same accuracy.",
            truth="Down to about 5 bits nothing happens; below that each bit costs more than the one before, because it doubles the distance between the levels.",
            panel="precision.levels",
            steps=(
                Step(
                    {"Bits b": "5"},
                    "the accuracy of float32, about 96 %.",
                    lambda p: abs(number_in(p, "at 5 bits the accuracy is #%") - number_in(p, "in float32 #%")) < 1,
                ),
                Step(
                    {"Bits b": "3"},
                    "an accuracy two percentage points lower.",
                    lambda p: 0.5 < number_in(p, "in float32 #%") - number_in(p, "at 3 bits the accuracy is #%") < 5,
                ),
                Step(
                    {"Bits b": "2"},
                    "an accuracy ten percentage points lower.",
                    lambda p: 5 < number_in(p, "in float32 #%") - number_in(p, "at 2 bits the accuracy is #%") < 20,
                ),
            ),
        ),
        Misconception(
            claim="The smaller the error of the weights, the better the network.",
            truth="The error of the weights is not the error of the network. A range for each row changes the weights less, and yet at 2 bits the network is less accurate.",
            panel="precision.levels",
            steps=(
                Step(
                    {"Bits b": "2"},
                    "that a weight changes by 0.076 on average, and an accuracy of about 86 %.",
                    lambda p: (
                        number_in(p, "changes by # on average") > 0.07
                        and number_in(p, "at 2 bits the accuracy is #%") > 84
                    ),
                ),
                Step(
                    {"A range for": "each row"},
                    "that a weight changes by 0.048 on average, and an accuracy of about 83 %.",
                    lambda p: (
                        number_in(p, "changes by # on average") < 0.06
                        and number_in(p, "at 2 bits the accuracy is #%") < 85
                    ),
                ),
            ),
        ),
        Misconception(
            claim="A network that computes well with 6 bits can be trained with 6 bits.",
            truth="A step η · gradient is mostly smaller than half the distance between two such numbers, so rounding to nearest discards it. The updates need more bits, or stochastic rounding, which is correct on average.",
            panel="precision.low_precision_training",
            steps=(
                Step(
                    {"Bits b of the computation": "6", "Bits b′ of the updates": "6 bits", "Train": "press"},
                    "a training that gets stuck at an accuracy little above 50 %.",
                    lambda p: number_in(p, ": accuracy #%") < 70,
                ),
                Step(
                    {"Stochastic rounding of the updates": "on"},
                    "an accuracy above 90 %, with the same 6 bits.",
                    lambda p: number_in(p, ": accuracy #%") > 90,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="Fixed point with 8 bits, 6 of them for the fraction: what becomes of 0.000001, and what of 2?",
            answer="0.000001 becomes 0, because the step is 1/64. 2 does not fit: the largest number is 127/64 = 1.984375.",
            panel="precision.one_number",
            steps=(
                Step(
                    {"A number": "0.000001", "Format": "fixed point"},
                    "0: the number is lost.",
                    lambda p: says(p, "stored as 0:", "is lost"),
                ),
                Step({"A number": "2"}, "1.984375.", lambda p: says(p, "stored as 1.984375")),
            ),
        ),
        Question(
            ask="How many different values does a layer have at 2 bits, with affine and with symmetric codes?",
            answer="Four, and three: symmetric codes leave one of the four unused, so that the range is the same on both sides of 0. This network does not survive it.",
            panel="precision.levels",
            steps=(
                Step(
                    {"Bits b": "2"},
                    "4 different values, and an accuracy of about 86 %.",
                    lambda p: (
                        says(p, "W1 has 4 different values") and number_in(p, "at 2 bits the accuracy is #%") > 80
                    ),
                ),
                Step(
                    {"Codes": "symmetric"},
                    "3 different values, and an accuracy of about 25 %.",
                    lambda p: (
                        says(p, "W1 has 3 different values") and number_in(p, "at 2 bits the accuracy is #%") < 40
                    ),
                ),
            ),
        ),
        Question(
            ask="At 2 bits, one layer at a time: will the first layer, which has more than half of the weights, suffer most?",
            answer="No, the least. The small last layer suffers most: its few weights determine the output directly.",
            panel="precision.sensitivity",
            steps=(
                Step(
                    {"Bits b": "2"},
                    "the bar of W1 as the highest of the three, that of W3 as the lowest.",
                    lambda p: number_in(p, "only W1 #%") > number_in(p, "only W2 #%") > number_in(p, "only W3 #%"),
                ),
            ),
        ),
        Question(
            ask="In integers, what is max(0, x)? Which error does it add?",
            answer="max(q, z), one comparison with the code z that represents 0. It adds none: all of the error, at most half a step, comes from the quantization.",
            panel="precision.relu_graph",
            steps=(
                Step(
                    {},
                    "that 0 is code 64, and the ReLU one comparison with 64.",
                    lambda p: says(p, "0 is code 64", "one comparison of integers with 64"),
                ),
                Step(
                    {"Minimum of the inputs": "0"},
                    "that 0 is code 0: the ReLU has nothing left to do.",
                    lambda p: says(p, "0 is code 0"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "two quantizers to write; exercise 05 asks for others"),
        Skip(4, "figure 12 is a picture of one comparison; the question for class shows it in a minute"),
        Skip(3, "which layer is sensitive is a question of practice"),
    ),
)
