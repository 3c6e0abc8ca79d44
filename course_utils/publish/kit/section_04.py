"""Sparse and group-sparse penalties."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import said, says

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
            claim="Weight decay makes a network sparse, if only λ is large enough.",
            truth="Its pull 2λw fades together with the weight, so something always remains. The zeros that one counts under weight decay come from a threshold: somebody has rounded.",
            panel="sparsity.group_lasso",
            steps=(
                Step(
                    {"Penalty": L2, "λ, weight of the penalty": "0.01"},
                    "0 % zeros at the right end of λ, and all inputs and neurons still there.",
                    lambda p: says(p, "with 0% of all weights zero", "64 of 64, 40 of 40, 30 of 30"),
                ),
                Step(
                    {"Threshold for |w|": "0.1"},
                    "more than half of the weights at zero, made so by the threshold and not by the penalty.",
                    lambda p: said(p, "with #% of all weights zero") > 50,
                ),
            ),
        ),
        Misconception(
            claim="Training with λ · Σ|w| in the loss sets weights to zero.",
            truth="Gradient steps on the l1 penalty jump over zero and back, for ever. Exact zeros come from the proximal step, which solves the small problem near zero exactly.",
            panel="sparsity.shrinkage",
            steps=(
                Step(
                    {},
                    "two paths towards the same goal, zero: the subgradient still jumps to and fro after 40 steps, the proximal step is at exactly 0.",
                    lambda p: said(p, "the subgradient is at #") > 0.05 and says(p, "the proximal step at exactly 0"),
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
            truth="Only if the zeros lie where they can be used. l1 scatters them; the group lasso has fewer zeros at the same λ, but removes whole inputs and neurons, and with them rows and columns of two matrices.",
            panel="sparsity.group_lasso",
            steps=(
                Step(
                    {"Penalty": L1},
                    "about 60 % zeros, but 32 of 40 and 27 of 30 hidden neurons still in use.",
                    lambda p: said(p, "with #% of all weights zero") > 50 and said(p, "of 64, # of 40") >= 30,
                ),
                Step(
                    {"Penalty": GROUP},
                    "about 30 % zeros, and only 28 of 40 and 20 of 30 hidden neurons.",
                    lambda p: (
                        said(p, "with #% of all weights zero") < 40
                        and said(p, "of 64, # of 40") <= 30
                        and said(p, "of 40, # of 30") <= 23
                    ),
                ),
            ),
        ),
        Misconception(
            claim="More λ costs a little more accuracy each time.",
            truth="Over a wide range the zeros are almost free, because what goes was not needed. Then the network collapses within a factor of five.",
            panel="sparsity.group_lasso",
            steps=(
                Step(
                    {"λ, weight of the penalty": "0.0001"},
                    "an accuracy of about 96 %.",
                    lambda p: said(p, ": accuracy #%") > 94,
                ),
                Step(
                    {"λ, weight of the penalty": "0.001"},
                    "an accuracy of about 95 % at ten times the λ, and 18 inputs gone.",
                    lambda p: said(p, ": accuracy #%") > 93 and said(p, "neurons left: # of 64") < 50,
                ),
                Step(
                    {"λ, weight of the penalty": "0.00518"},
                    "no better than a guess at five times as much: every weight is zero.",
                    lambda p: said(p, ": accuracy #%") < 15 and says(p, "100% of all weights zero"),
                ),
            ),
        ),
        Misconception(
            claim="l1 is nothing special: another p would make exact zeros as well.",
            truth="For p above 1 the ball is round where it meets an axis, however slightly, and touches the cost beside it. Below 1 it has spikes there and makes zeros too, but then there may be several valleys. p = 1 is the only one with corners and a single valley.",
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
            answer="Not one alone: the ball of the group is round. But at a finite λ both become zero together.",
            panel="sparsity.geometry",
            steps=(
                Step(
                    {"Penalty": "both as one group: √2·‖w‖₂"},
                    "no weight at zero at λ = 0.17.",
                    lambda p: says(p, "Neither weight is exactly zero"),
                ),
                Step(
                    {"λ, weight of the penalty": "1"},
                    "both weights at exactly zero.",
                    lambda p: says(p, "Both weights are exactly zero"),
                ),
            ),
        ),
        Question(
            ask="The cost alone wants the weight at a = 1, and λ is 0.5. Where does the proximal step come to rest? And for a = 0.3?",
            answer="At a − λ = 0.5; and at exactly 0, because 0.3 lies within λ of zero.",
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
            ask="Columns are inputs, rows are neurons. Which of the six matrices have the most zeros, and which have none at the right end of λ?",
            answer="At λ = 0.001 l1 has most. At the right end all penalties but l2 have emptied the matrix; l2 and no penalty have no zero at any λ.",
            panel="sparsity.gallery",
            steps=(
                Step(
                    {},
                    "l1 at about 60 %, the group lasso at about 30 %, l2 at 0 %.",
                    lambda p: (
                        said(p, "l1 #%") > said(p, "sparse group #%") > said(p, "group lasso #%") > 20
                        and says(p, "l2 0%")
                    ),
                ),
                Step(
                    {"λ, weight of the penalty": "0.01"},
                    "100 % everywhere, but 0 % for l2 and without a penalty.",
                    lambda p: says(p, "no penalty 0%, l2 0%, l1 100%", "group lasso 100%, sparse group 100%"),
                ),
            ),
        ),
        Question(
            ask="The same penalty acts once by its proximal step and once by its gradient. Which accuracy do you expect, and how many zeros?",
            answer="Nearly the same accuracy, and with the gradient not one exact zero.",
            panel="sparsity.live_training",
            steps=(
                Step(
                    {"Train live": "on"},
                    "an accuracy of about 95 %, and about 30 % of the weights exactly zero.",
                    lambda p: said(p, ": accuracy #%") > 90 and said(p, "%, #% of the weights") > 15,
                ),
                Step(
                    {"The penalty acts by": "gradient of the penalty"},
                    "about the same accuracy, and 0 % zeros.",
                    lambda p: said(p, ": accuracy #%") > 90 and says(p, "0% of the weights exactly zero"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "two proximal steps to write; exercise 04 asks for both too"),
        Skip(6, "that a network loses its weights late can be told in one sentence"),
        Skip(3, "not without telling what a group is: sections 4 and 5 need the word"),
    ),
)
