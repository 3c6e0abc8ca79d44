"""Flexible activation functions."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

FOLLOW, HINGES, PIECES = "Target function of s (left)", "S, number of hinges", "K, pieces"
GAMMA, FRONT, WIDTH = "γ (larger is narrower)", "Highlighted activation", "Neurons per layer"

LESSON = Lesson(
    number="09",
    titles={
        "flexible.parametric": "Activations with parameters",
        "flexible.piecewise": "Adaptive piecewise linear",
        "flexible.maxout": "Maxout",
        "flexible.kaf": "A kernel activation function",
        "flexible.size_against_accuracy": "Accuracy against parameters",
    },
    misconceptions=(
        Misconception(
            claim="A maxout neuron with enough pieces can follow any function.",
            truth="A maximum of lines is convex. Functions that are not convex take two such neurons, one minus the other.",
            panel="flexible.maxout",
            steps=(
                Step(
                    {PIECES: "8"},
                    "eight tangents that approximate the parabola to within 0.06.",
                    lambda p: number_in(p, "largest error is #") < 0.1,
                ),
                Step(
                    {FOLLOW: "-(s**2)"},
                    "that the same eight pieces are 14 away from the parabola that opens downwards.",
                    lambda p: number_in(p, "largest error is #") > 10,
                ),
                Step(
                    {PIECES: "3"},
                    "that three pieces are no worse: more lines do not help.",
                    lambda p: number_in(p, "largest error is #") > 5,
                ),
            ),
        ),
        Misconception(
            claim="The narrower the kernels of a KAF, the better it can approximate a function.",
            truth="Between kernels that do not overlap the curve falls back to zero. But kernels that are too wide are nearly identical and have to cancel each other. The rule of thumb lies in between.",
            panel="flexible.kaf",
            steps=(
                Step(
                    {},
                    "a single line: by the rule of thumb the KAF is at most 0.003 away from tanh, with coefficients up to 13.",
                    lambda p: number_in(p, "is at most # away") < 0.01 and number_in(p, "largest |α| is #") < 30,
                ),
                Step(
                    {GAMMA: "30 × 1/(6Δ²)"},
                    "a curve that falls back towards 0 between the elements of the dictionary, 0.43 away from tanh.",
                    lambda p: number_in(p, "is at most # away") > 0.3,
                ),
                Step(
                    {GAMMA: "0.1 × 1/(6Δ²)"},
                    "coefficients in the thousands.",
                    lambda p: number_in(p, "largest |α| is #") > 1000,
                ),
            ),
        ),
        Misconception(
            claim="A KAF that is initialized as tanh behaves like tanh everywhere.",
            truth="Only within its dictionary. Outside it every kernel vanishes, and g goes back to 0, where tanh stays at 1.",
            panel="flexible.kaf",
            steps=(
                Step(
                    {},
                    "that at s = 5 the KAF is 0.00.",
                    lambda p: says(p, "at s = 5, outside of the dictionary, g is 0.00"),
                ),
            ),
        ),
        Misconception(
            claim="Trainable activations can take any shape.",
            truth="A few parameters allow few shapes. The scaled tanh stays an S and PReLU keeps its single kink; with a = 1 it is a straight line, and the layer is linear.",
            panel="flexible.parametric",
            steps=(
                Step(
                    {"Activation": "PReLU (14), slope a below 0", "a": "1"},
                    "the line g(s) = s, from −4 to 4.",
                    lambda p: says(p, "from −4.00 to 4.00"),
                ),
                Step({"a": "−1"}, "|s|: from 0 to 4.", lambda p: says(p, "from 0.00 to 4.00")),
            ),
        ),
        Misconception(
            claim="Flexible activations win because a neuron with them can do more.",
            truth="Each such neuron also costs more. At an equal number of parameters the KAF helps most where the network is narrow, and two parameters per neuron (scaled tanh) go almost as far on this task.",
            panel="flexible.size_against_accuracy",
            steps=(
                Step(
                    {WIDTH: "6"},
                    "that six KAF neurons are several percentage points more accurate than six ReLU neurons, with 580 parameters instead of 460.",
                    lambda p: (
                        says(p, "580 parameters", "ReLU in the same network: 460")
                        and number_in(p, "test accuracy #%") > number_in(p, "same network: 460, #%") + 2
                    ),
                ),
                Step(
                    {FRONT: "maxout, K = 3 (16)"},
                    "that six maxout neurons cost 1,240 parameters.",
                    lambda p: says(p, "1,240 parameters"),
                ),
                Step(
                    {FRONT: "scaled tanh (13)"},
                    "that the scaled tanh does nearly as well with 472.",
                    lambda p: (
                        says(p, "472 parameters")
                        and number_in(p, "test accuracy #%") > number_in(p, "same network: 460, #%")
                    ),
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="For which a is PReLU a straight line, for which is it ReLU, for which |s|?",
            answer="1, 0 and −1.",
            panel="flexible.parametric",
            steps=(
                Step(
                    {"Activation": "PReLU (14), slope a below 0", "a": "1"},
                    "a line from −4 to 4.",
                    lambda p: says(p, "from −4.00 to 4.00"),
                ),
                Step({"a": "0"}, "0 on the left, s on the right.", lambda p: float(p.result.value[0]) == 0),
                Step(
                    {"a": "−1"}, "4 at both ends.", lambda p: float(p.result.value[0]) == float(p.result.value[-1]) == 4
                ),
            ),
        ),
        Question(
            ask="You double the amplitude a of the scaled tanh and halve its steepness b. What happens to its slope at 0?",
            answer="Nothing: the slope is ab/2.",
            panel="flexible.parametric",
            steps=(
                Step({}, "slope 1.00 at 0 for a = 1, b = 2.", lambda p: says(p, "slope 1.00 at 0")),
                Step(
                    {"a": "2", "b (tanh only)": "1"},
                    "slope 1.00 at 0 again, and an S twice as high.",
                    lambda p: says(p, "slope 1.00 at 0", "1.93"),
                ),
            ),
        ),
        Question(
            ask="An adaptive piecewise linear unit approximates tanh. How large is its error with 4 hinges, and with 10? And how many parameters does it have?",
            answer="0.32 with 4 hinges, 0.10 with 10; each hinge has a slope and a position, so 8 parameters and 20.",
            panel="flexible.piecewise",
            steps=(
                Step(
                    {"Target function of s": "tanh(s)", HINGES: "4"},
                    "8 parameters per neuron, an error of 0.32.",
                    lambda p: says(p, "8 parameters per neuron", "largest error is 0.32"),
                ),
                Step(
                    {HINGES: "10"},
                    "20 parameters per neuron, an error of 0.10.",
                    lambda p: says(p, "20 parameters per neuron", "largest error is 0.10"),
                ),
            ),
        ),
        Question(
            ask="You add 1 to the coefficient of one kernel. Where does the curve change, and by how much at most?",
            answer="Near its element of the dictionary, by 1, the height of a kernel; hardly anywhere else.",
            panel="flexible.kaf",
            steps=(
                Step(
                    {"Add to its α": "+1"},
                    "a curve that is up to 1 away from tanh, near kernel 8.",
                    lambda p: says(p, "has been changed by +1", "is at most 1 away"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "swish, and a function with a jump: both can be typed into a panel in class"),
        Skip(5, "figure 17 is the same idea while it trains"),
        Skip(3, "maxout has an equation, but the course does not return to it"),
    ),
)
