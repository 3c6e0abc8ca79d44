"""Building and optimizing a neural network."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

LESSON = Lesson(
    number="01",
    titles={
        "building.sum_of_relus": "A sum of ReLUs",
        "building.descent": "Gradient descent on a cost of two weights",
        "building.backpropagation": "Back-propagation, step by step",
        "building.boundary": "Width, depth and the decision boundary",
        "building.filters": "The filters of a small convolutional network",
    },
    misconceptions=(
        Misconception(
            claim="The larger the learning rate, the sooner the training is finished.",
            truth="Only up to a limit. Below it each step reduces the cost; beyond 2 divided by the largest curvature of the cost, here 0.457, every jump across the valley is longer than the one before, and the cost diverges.",
            panel="building.descent",
            steps=(
                Step(
                    {"Learning rate η": "0.001"},
                    "a path that has hardly begun: after 100 steps the cost is 1.87; at the start it was 2.21.",
                    lambda p: 1.8 < number_in(p, "the cost is #") < 1.95,
                ),
                Step(
                    {"Learning rate η": "0.3"},
                    "a path that has converged: the cost is 0.389, the minimum.",
                    lambda p: number_in(p, "the cost is #") == number_in(p, "at the minimum #") == 0.389,
                ),
                Step(
                    {"Learning rate η": "0.46"},
                    "jumps from side to side that get longer and longer: the cost is higher than at the start.",
                    lambda p: number_in(p, "the cost is #") > number_in(p, "at the start #"),
                ),
            ),
        ),
        Misconception(
            claim="Stochastic gradient descent comes to rest at the minimum of the cost.",
            truth="At the minimum the gradient over all rows is zero, but that over a mini-batch is not: the path fluctuates around the minimum, the more so the smaller the batch and the larger η. It comes to rest only if η decreases.",
            panel="building.descent",
            steps=(
                Step(
                    {"Batch size": "1"},
                    "a path that fluctuates: after 100 steps the cost is about 0.55; the minimum is 0.389.",
                    lambda p: number_in(p, "the cost is #") > 0.45,
                ),
                Step(
                    {"Batch size": "all 442"},
                    "a path that converges, at 0.389.",
                    lambda p: number_in(p, "the cost is #") == 0.389,
                ),
            ),
        ),
        Misconception(
            claim="A step on all rows is worth its cost, because it uses all of the data.",
            truth="A gradient from a few rows is right on average. For the same number of rows processed, many cheap noisy steps gain far more than one exact step.",
            panel="building.descent",
            steps=(
                Step(
                    {"Learning rate η": "0.03", "Batch size": "4"},
                    "a cost of about 0.41 after 0.9 epochs.",
                    lambda p: number_in(p, "the cost is #") < 0.43 and says(p, "(0.9 epochs)"),
                ),
                Step(
                    {"Batch size": "all 442"},
                    "a cost of about 0.41 again, but after 100 epochs: a hundred times as many rows for the same progress.",
                    lambda p: number_in(p, "the cost is #") > 0.4 and says(p, "(100.0 epochs)"),
                ),
            ),
        ),
        Misconception(
            claim="A gradient of zero means that the network has learned the example.",
            truth="A ReLU with a negative input has slope 0, whatever the loss is. The gradient is zero because nothing passes through the unit, not because nothing is left to learn. A unit that is off for every example is dead.",
            panel="building.backpropagation",
            steps=(
                Step(
                    {"Weight w": "−1", "Step": "forward, L"},
                    "that the output is 0 and should be 1: the loss is 1.",
                    lambda p: says(p, "(0 − 1)² = 1"),
                ),
                Step(
                    {"Step": "backward, x"},
                    "that all three derivatives are 0, and that a step changes nothing: the loss goes from 1 to 1.",
                    lambda p: says(p, "w.grad = 0, b.grad = 0, v.grad = 0", "takes L from 1 to 1"),
                ),
            ),
        ),
        Misconception(
            claim="A network is a universal approximator, so its width does not matter.",
            truth="The theorem says that for any continuous function enough units exist. It promises nothing for few units, and does not say how to find the weights of many.",
            panel="building.boundary",
            steps=(
                Step(
                    {"Width of a hidden layer": "2", "Train": "press"},
                    "an accuracy little better than chance, about 50 %, with two hidden layers of 2.",
                    lambda p: p.result.accuracy[-1] < 0.7,
                ),
                Step(
                    {"Width of a hidden layer": "32"},
                    "nearly all points classified correctly, with two hidden layers of 32.",
                    lambda p: p.result.accuracy[-1] > 0.95,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="One input, a hidden layer of five ReLU units, one output. How many parameters are there?",
            answer="16: each unit has a weight, a bias and an output weight, and the output has a bias.",
            panel="building.sum_of_relus",
            steps=(Step({}, "5 units, 16 parameters.", lambda p: says(p, "5 units, 16 parameters")),),
        ),
        Question(
            ask="The bends are at equal distances. You double the units from 20 to 40. By what factor does the largest error decrease?",
            answer="By 4. Between two bends the function is nearly a parabola, and half the distance gives a quarter of the error.",
            panel="building.sum_of_relus",
            steps=(
                Step(
                    {"Bends are placed": "at equal distances", "Units in the hidden layer": "20"},
                    "a largest error of 0.0311.",
                    lambda p: says(p, "largest error is 0.0311"),
                ),
                Step(
                    {"Units in the hidden layer": "40"},
                    "a largest error of 0.00779.",
                    lambda p: says(p, "largest error is 0.00779"),
                ),
            ),
        ),
        Question(
            ask="x = 1.5, w = 0.5, b = 0.25, v = 2, and the target is 1. What is ∂L/∂w?",
            answer="6. The output is ŷ = 2, so ∂L/∂ŷ = 2 · (2 − 1) = 2; times v = 2, times the slope 1 of the ReLU, times x = 1.5.",
            panel="building.backpropagation",
            steps=(Step({"Step": "backward, w"}, "∂L/∂w = 4 · 1.5 = 6.", lambda p: says(p, "= 4 · 1.5 = 6")),),
        ),
        Question(
            ask="Eight filters grow from 3 × 3 to 5 × 5. How many parameters does the layer have now, and what changes if the images get larger?",
            answer="8 · 25 + 8 = 208 instead of 80. The size of the images does not matter: the same weights are used at every position.",
            panel="building.filters",
            steps=(
                Step(
                    {},
                    "80 parameters; a dense layer with the same number of outputs would have 33,280.",
                    lambda p: says(p, "The first layer has 80 parameters", "33,280"),
                ),
                Step(
                    {"Filters of": "5 × 5 pixels"},
                    "208 parameters.",
                    lambda p: says(p, "The first layer has 208 parameters"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "the functions to write make good homework"),
        Skip(6, "convolutions return in notebook 03 as two lines of numbers; without this section figure 2 is missing"),
        Skip(5, "students who have trained networks know that width and depth matter, if not what they cost"),
    ),
)
