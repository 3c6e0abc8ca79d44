"""Sparse and group-sparse penalties."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

L1, L2, GROUP = "l1, lasso (7)", "l2, weight decay (5)", "group lasso (9)"

LESSON = Lesson(
    number="04",
    titles={
        "sparsity.geometry": "Where the cost and the penalty touch",
        "sparsity.shrinkage": "One proximal step, and forty",
        "sparsity.gallery": "The same layer under each penalty",
        "sparsity.group_lasso": "A network under a penalty",
        "sparsity.live_training": "A network while it trains",
    },
    misconceptions=(
        Misconception(
            claim="Weight decay makes a network sparse if λ is large enough.",
            truth="Its gradient 2λw vanishes with the weight, so something always remains. The zeros that are counted under weight decay come from a threshold: small weights were rounded to zero.",
            panel="sparsity.group_lasso",
            steps=(
                Step(
                    {"Penalty": L2, "λ, strength of the penalty": "0.01"},
                    "0 % zeros at the largest λ, and all inputs and neurons still in use.",
                    lambda p: says(p, "with 0% of all weights zero", "64 of 64, 40 of 40, 30 of 30"),
                ),
                Step(
                    {"Threshold for |w|": "0.1"},
                    "more than half of the weights at zero, because of the threshold and not of the penalty.",
                    lambda p: number_in(p, "with #% of all weights zero") > 50,
                ),
            ),
        ),
        Misconception(
            claim="Training with λ · Σ|w| in the loss sets weights to zero.",
            truth="Gradient steps on the l1 penalty jump across zero and back, forever. Exact zeros come from the proximal step, which solves the small problem near zero exactly.",
            panel="sparsity.shrinkage",
            steps=(
                Step(
                    {},
                    "two paths towards zero: the subgradient still oscillates after 40 steps, the proximal step is at exactly 0.",
                    lambda p: (
                        number_in(p, "the subgradient is at #") > 0.05 and says(p, "the proximal step at exactly 0")
                    ),
                ),
                Step(
                    {"a, minimum of the cost": "1"},
                    "that both agree away from zero: they end at a − λ = 0.5.",
                    lambda p: says(p, "the subgradient is at 0.500, the proximal step at 0.500"),
                ),
            ),
        ),
        Misconception(
            claim="A network with half of its weights at zero is half as large and twice as fast.",
            truth="Only if the zeros are where they can be exploited. l1 scatters them; the group lasso has fewer zeros at the same λ, but removes entire inputs and neurons, and with them rows and columns of two matrices.",
            panel="sparsity.group_lasso",
            steps=(
                Step(
                    {"Penalty": L1},
                    "about 60 % zeros, but 32 of 40 and 27 of 30 hidden neurons still in use.",
                    lambda p: number_in(p, "with #% of all weights zero") > 50 and number_in(p, "of 64, # of 40") >= 30,
                ),
                Step(
                    {"Penalty": GROUP},
                    "about 30 % zeros, and only 28 of 40 and 20 of 30 hidden neurons.",
                    lambda p: (
                        number_in(p, "with #% of all weights zero") < 40
                        and number_in(p, "of 64, # of 40") <= 30
                        and number_in(p, "of 40, # of 30") <= 23
                    ),
                ),
            ),
        ),
        Misconception(
            claim="A larger λ always costs a little more accuracy.",
            truth="Over a wide range the zeros are almost free, because the removed weights were not needed. Then the network collapses within a factor of five.",
            panel="sparsity.group_lasso",
            steps=(
                Step(
                    {"λ, strength of the penalty": "0.0001"},
                    "an accuracy of about 96 %.",
                    lambda p: number_in(p, ": accuracy #%") > 94,
                ),
                Step(
                    {"λ, strength of the penalty": "0.001"},
                    "an accuracy of about 95 % at ten times the λ, and 18 inputs removed.",
                    lambda p: number_in(p, ": accuracy #%") > 93 and number_in(p, "neurons left: # of 64") < 50,
                ),
                Step(
                    {"λ, strength of the penalty": "0.00518"},
                    "an accuracy no better than chance at five times as much: every weight is zero.",
                    lambda p: number_in(p, ": accuracy #%") < 15 and says(p, "100% of all weights zero"),
                ),
            ),
        ),
        Misconception(
            claim="l1 is nothing special: another p would give exact zeros as well.",
            truth="For p > 1 the ball is smooth where it meets an axis, and touches the level set of the cost next to it. For p < 1 it has spikes there and gives zeros too, but the problem is no longer convex: there may be several minima. Only p = 1 has corners and is convex.",
            panel="sparsity.geometry",
            steps=(
                Step({}, "one weight at exactly zero, with p = 1.", lambda p: says(p, "One weight is exactly zero")),
                Step(
                    {"p, shape of the ball": "1.5"},
                    "no weight at exactly zero: the second one is very small, and on the other side.",
                    lambda p: says(p, "Neither weight is exactly zero"),
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="Both weights as one group: is there a λ at which exactly one of them is zero? And one at which both are?",
            answer="Not one alone: the ball of the group is smooth. But at a finite λ both become zero together.",
            panel="sparsity.geometry",
            steps=(
                Step(
                    {"Penalty": "both as one group: √2·‖w‖₂"},
                    "no weight at zero at λ = 0.17.",
                    lambda p: says(p, "Neither weight is exactly zero"),
                ),
                Step(
                    {"λ, strength of the penalty": "1"},
                    "both weights at exactly zero.",
                    lambda p: says(p, "Both weights are exactly zero"),
                ),
            ),
        ),
        Question(
            ask="The cost alone has its minimum at w = a = 1, and λ is 0.5. Where do the proximal steps converge? And for a = 0.3?",
            answer="To a − λ = 0.5; and to exactly 0, because 0.3 lies within λ of zero.",
            panel="sparsity.shrinkage",
            steps=(
                Step(
                    {"a, minimum of the cost": "1"},
                    "the proximal step at 0.500.",
                    lambda p: says(p, "the proximal step at 0.500"),
                ),
                Step(
                    {"a, minimum of the cost": "0.3"},
                    "the proximal step at exactly 0.",
                    lambda p: says(p, "the proximal step at exactly 0"),
                ),
            ),
        ),
        Question(
            ask="Columns are inputs, rows are neurons. Which of the six matrices has the most zeros, and which have none at the largest λ?",
            answer="At λ = 0.001 l1 has the most. At the largest λ all penalties but l2 have set the complete matrix to zero; l2 and no penalty give no zero at any λ.",
            panel="sparsity.gallery",
            steps=(
                Step(
                    {},
                    "l1 at about 60 %, the group lasso at about 30 %, l2 at 0 %.",
                    lambda p: (
                        number_in(p, "l1 #%") > number_in(p, "sparse group #%") > number_in(p, "group lasso #%") > 20
                        and says(p, "l2 0%")
                    ),
                ),
                Step(
                    {"λ, strength of the penalty": "0.01"},
                    "100 % everywhere, except 0 % for l2 and without a penalty.",
                    lambda p: says(p, "no penalty 0%, l2 0%, l1 100%", "group lasso 100%, sparse group 100%"),
                ),
            ),
        ),
        Question(
            ask="The same penalty acts first by its proximal step and then by its gradient. Which accuracy do you expect, and how many zeros?",
            answer="Nearly the same accuracy, and with the gradient not a single exact zero.",
            panel="sparsity.live_training",
            steps=(
                Step(
                    {"Train": "press"},
                    "an accuracy of about 95 %, and about 30 % of the weights exactly zero.",
                    lambda p: number_in(p, ": accuracy #%") > 90 and number_in(p, "%, #% of the weights") > 15,
                ),
                Step(
                    {"The penalty acts by": "gradient of the penalty"},
                    "about the same accuracy, and 0 % zeros.",
                    lambda p: number_in(p, ": accuracy #%") > 90 and says(p, "0% of the weights exactly zero"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "two proximal steps to write; exercise 04 asks for both too"),
        Skip(6, "that the zeros appear late in training can be told in one sentence"),
        Skip(3, "only if you explain what a group is: sections 4 and 5 need the word"),
    ),
)
