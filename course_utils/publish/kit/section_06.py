"""Binary neural networks."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

PAPER, SLIDE, SIGN = (
    "paper: +1 with probability σ(w)",
    "slide: −1 with probability σ(w)",
    "deterministic: the sign (10)",
)
THRESHOLD = "Threshold as a multiple of the mean |w|"

LESSON = Lesson(
    number="06",
    titles={
        "binary.rounding_rules": "A sign for a weight",
        "binary.live_training": "A binary network while it trains",
        "binary.ternary": "Ternary weights",
        "binary.annealing": "Stochastic rounding and BinaryConnect",
        "binary.xnor": "A product of signs",
    },
    misconceptions=(
        Misconception(
            claim="What the slide prints in (11) is only a convention: −1 or +1 with probability σ(w) makes no difference.",
            truth="With the cases exchanged the expectation is −w, so a weight that should grow makes the sum smaller. Only +1 with probability σ(w) is correct on average.",
            panel="binary.rounding_rules",
            steps=(
                Step(
                    {"Weight w": "0.8", "Rule": SLIDE},
                    "that a weight of 0.8 becomes +1 in one case out of ten, and a decreasing line in the right picture.",
                    lambda p: says(p, "+1 with probability 0.10", "up to 2.00 away from w"),
                ),
                Step(
                    {"Rule": PAPER},
                    "+1 in nine cases out of ten, and an expectation that is w itself.",
                    lambda p: says(p, "+1 with probability 0.90", "the expectation is w itself"),
                ),
            ),
        ),
        Misconception(
            claim="The deterministic sign is better, because it adds no noise.",
            truth="It is never wrong about the sign and always wrong about the magnitude: 0.1 and 0.9 become the same. Stochastic rounding is noisy, but its mean over many draws is w.",
            panel="binary.rounding_rules",
            steps=(
                Step(
                    {"Rule": SIGN, "Weight w": "0.1"},
                    "+1 with certainty, for a weight of 0.1.",
                    lambda p: says(p, "+1 with probability 1.00", "up to 1.00 away from w"),
                ),
                Step(
                    {"Rule": PAPER, "Weight w": "0.4", "Signs drawn for each weight": "100"},
                    "a mean of 100 signs that is close to w = 0.4.",
                    lambda p: abs(number_in(p, "mean +#") - 0.4) < 0.15,
                ),
            ),
        ),
        Misconception(
            claim="A binary network is trained on signs: real weights play no part.",
            truth="A sign cannot take a small step. The steps go to real weights, which add them up until a sign flips; without them, rounded after each step, a training never converges.",
            panel="binary.annealing",
            steps=(
                Step(
                    {"Learning rate η": "0.01"},
                    "BinaryConnect, which keeps real weights, at the minimum nearly all of the time, and stochastic rounding, which does not, about a third of it.",
                    lambda p: number_in(p, "BinaryConnect #%") > 90 and number_in(p, "stochastic rounding #%") < 50,
                ),
                Step(
                    {"Learning rate η": "0.001"},
                    "the same for a step ten times smaller: the jumps become rarer, but never settle.",
                    lambda p: number_in(p, "BinaryConnect #%") > 90 and number_in(p, "stochastic rounding #%") < 50,
                ),
            ),
        ),
        Misconception(
            claim="With one bit per weight a network must be much worse.",
            truth="Not if it is trained with signs. On the digits it is about as accurate as the ordinary network of the same shape; what hurts is to take the signs of a network that was trained without them.",
            panel="binary.live_training",
            steps=(
                Step(
                    {"Binarization": "deterministic (10)", "Train": "press"},
                    "an accuracy of about 96 % with signs.",
                    lambda p: number_in(p, ": accuracy #%") > 93,
                ),
                Step(
                    {"Binarization": "none: real weights"},
                    "an accuracy of about 97 % with real weights.",
                    lambda p: number_in(p, ": accuracy #%") > 94,
                    lambda now, before: now.accuracies[-1] - before.accuracies[-1] < 0.03,
                ),
            ),
        ),
        Misconception(
            claim="The threshold with the smallest error of a layer gives the best ternary network.",
            truth="At 0.7 times the mean |w| the error of a layer has its minimum. But all layers change at once, and their errors interact: without retraining another threshold may be better for the network.",
            panel="binary.ternary",
            steps=(
                Step(
                    {THRESHOLD: "0.7"},
                    "the smallest error, 0.18, and an accuracy of about 81 %.",
                    lambda p: says(p, "(minimum at 0.7)") and number_in(p, "ternary the accuracy is #%") < 85,
                ),
                Step(
                    {THRESHOLD: "0.5"},
                    "a larger error, 0.20, and an accuracy of about 87 %.",
                    lambda p: (
                        number_in(p, "layer's error is #") > 0.19 and number_in(p, "ternary the accuracy is #%") > 84
                    ),
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="w = 0.4: with which probability does it become +1, and what is its expectation? And for w = 1.5?",
            answer="σ(0.4) = 0.7, so the expectation is 0.7 − 0.3 = 0.4. Beyond 1 the hard sigmoid is clipped: +1 with certainty.",
            panel="binary.rounding_rules",
            steps=(
                Step({}, "probability 0.70.", lambda p: says(p, "w = 0.4 becomes +1 with probability 0.70")),
                Step({"Weight w": "1.5"}, "probability 1.00.", lambda p: says(p, "+1 with probability 1.00")),
            ),
        ),
        Question(
            ask="x and w have 16 elements and agree in 12. What is their inner product? And if they agree in none?",
            answer="12 − 4 = 8, and −16.",
            panel="binary.xnor",
            steps=(
                Step(
                    {"Places that agree": "75%"},
                    "12 − 4 = 8, by bits and by floats.",
                    lambda p: says(p, "12 of 16 places agree", "computed with floats it is 8"),
                ),
                Step(
                    {"Places that agree": "0%"},
                    "0 − 16 = −16.",
                    lambda p: float(p.result.by_bits) == float(p.result.by_floats) == -16,
                ),
            ),
        ),
        Question(
            ask="Where are the real weights after training: near 0, spread evenly, or at the ends? What does a learning rate ten times smaller change?",
            answer="Some of them are pushed to the ends and clipped there, with η = 0.1 about one in five. With a small step far fewer are: they are still undecided, and the network has learned little.",
            panel="binary.live_training",
            steps=(
                Step(
                    {"Train": "press"},
                    "about 19 % of the real weights at −1 or +1, and an accuracy of about 96 %.",
                    lambda p: number_in(p, "epoch; #% of the real weights") > 10 and number_in(p, ": accuracy #%") > 92,
                ),
                Step(
                    {"Learning rate η": "0.001"},
                    "about 2 % of them at the ends, and an accuracy below 50 %.",
                    lambda p: number_in(p, "epoch; #% of the real weights") < 5 and number_in(p, ": accuracy #%") < 60,
                ),
            ),
        ),
        Question(
            ask="With a threshold of 0 in the ternary panel: which network is that?",
            answer="A binary one with a scale: no weight becomes 0, each is +t or −t, and t is the mean of all |w|.",
            panel="binary.ternary",
            steps=(
                Step({THRESHOLD: "0"}, "0 % of the weights at 0.", lambda p: says(p, "0% of the weights become 0")),
            ),
        ),
    ),
    skip=(
        Skip(7, "students make the slide's mistake themselves; the first misconception shows it"),
        Skip(3, "that binarization acts as noise is best seen in the table of the paper"),
        Skip(4, "ternary weights are further reading of the lecture"),
    ),
)
