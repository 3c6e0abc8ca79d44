"""Some applications of neural networks."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import said, says

CHANGE, MUCH = "Change the edges", "How much"

LESSON = Lesson(
    number="02",
    titles={
        "applications.imagenet": "ImageNet, year by year",
        "applications.classification": "What a small network reads",
        "applications.captions": "A name, letter by letter",
        "applications.translation": "From edges to a digit",
        "applications.live_agent": "An agent in a grid world",
        "applications.depth": "How much of the gradient arrives",
        "applications.giants": "Miniatures beside giants",
    },
    misconceptions=(
        Misconception(
            claim="A network that is wrong is at least unsure.",
            truth="Its probabilities add up to 1 whatever it sees. Some of its wrong answers are given with more than 90 %: a network does not know what it does not know.",
            panel="applications.classification",
            steps=(
                Step(
                    {"Which pictures": "only those that it gets wrong", "Test picture": "20"},
                    "a wrong answer that the network gives with more than 90 %.",
                    lambda p: says(p, "wrong. With 1 guess") and float(p.result.p.max()) > 0.9,
                ),
            ),
        ),
        Misconception(
            claim="Twice the parameters, half of the errors.",
            truth="At first more than that, later much less: the last percents are the dear ones.",
            panel="applications.classification",
            steps=(
                Step(
                    {"Filters in the first layer": "1"},
                    "47 % wrong with Q = 120.",
                    lambda p: said(p, "test pictures, # %") > 35,
                ),
                Step(
                    {"Filters in the first layer": "4"},
                    "9 % wrong with Q = 666: five times the parameters, a fifth of the errors.",
                    lambda p: 5 < said(p, "test pictures, # %") < 14,
                ),
                Step(
                    {"Filters in the first layer": "8"},
                    "about 5 % wrong with Q = 1,898.",
                    lambda p: 3 < said(p, "test pictures, # %") < 7,
                ),
                Step(
                    {"Filters in the first layer": "16"},
                    "about 3 % wrong with Q = 6,090: three times the parameters, and only a third fewer errors.",
                    lambda p: 1.5 < said(p, "test pictures, # %") < 4.5,
                ),
            ),
        ),
        Misconception(
            claim="A recurrent network needs only its last output to go on.",
            truth="After “se” and after “seve” the last letter is the same e, but v must follow in one case and n in the other. The state makes the difference; without it not one name is right.",
            panel="applications.captions",
            steps=(
                Step({"Step": "3"}, "that after “se” comes v.", lambda p: says(p, "after “se” comes “v”")),
                Step({"Step": "5"}, "that after “seve” comes n.", lambda p: says(p, "after “seve” comes “n”")),
                Step(
                    {"The state is": "set to zero after each letter"},
                    "that 0 % of the names are right.",
                    lambda p: said(p, "pictures #% of the names") < 5,
                ),
            ),
        ),
        Misconception(
            claim="What an image-to-image network draws was in its input.",
            truth="It draws what fits the data that it has seen. Without the upper half of the edges it makes up an upper half, and mostly a wrong one. Do not take its output for evidence.",
            panel="applications.translation",
            steps=(
                Step(
                    {"Through": "8 numbers"},
                    "a classifier's accuracy of about 88 % on the outputs from whole edges.",
                    lambda p: said(p, "classifier #%") > 80,
                ),
                Step(
                    {CHANGE: "rub out from the top", MUCH: "50%"},
                    "whole digits all the same, of which the classifier reads only a quarter correctly.",
                    lambda p: said(p, "classifier #%") < 40,
                ),
            ),
        ),
        Misconception(
            claim="A deep network needs nothing but a ReLU in place of the sigmoid.",
            truth="With the ReLU the gradient arrives only if the weights are drawn at just the right size. Shortcuts with a normalization do not mind.",
            panel="applications.depth",
            steps=(
                Step(
                    {"Hidden layers": "100"},
                    "that ReLU lets the gradient through, also through 100 layers.",
                    lambda p: said(p, "; ReLU # and") > 0.01,
                ),
                Step(
                    {"Weights multiplied by": "0.8"},
                    "that weights smaller by a fifth leave next to nothing of it, while with shortcuts it arrives.",
                    lambda p: says(p, "× 10⁻¹") and said(p, "; ReLU # × 10⁻") > 0 and said(p, "shortcuts # and") > 0.1,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="The winners of 2010 and 2011 made 28 % and 26 % errors. Had that pace gone on, which error would 2015 have had, and which had it?",
            answer="About 19 %. It was 3.6 %, below the trained annotator's 5.1 %.",
            panel="applications.imagenet",
            steps=(
                Step(
                    {"Year": "2015", "Had the pace of 2010 to 2011 gone on": "on"},
                    "3.6 %, and 19.3 % at the old pace.",
                    lambda p: says(p, "for 3.6 % of the pictures", "would be 19.3 %"),
                ),
            ),
        ),
        Question(
            ask="The smallest network errs on almost every second digit. How often do five guesses all miss?",
            answer="In 6 of 100 cases. Five guesses out of ten classes are generous; out of 1,000 they are not.",
            panel="applications.classification",
            steps=(
                Step(
                    {"Filters in the first layer": "1", "Guesses allowed, k": "5"},
                    "about 6 % wrong.",
                    lambda p: 3 < said(p, "test pictures, # %") < 10,
                ),
            ),
        ),
        Question(
            ask="The goal, worth 1, is nine steps away, the treat, worth 0.3, two. Where does the agent go for γ = 0.9, and where for γ = 0.8?",
            answer="For 0.9 past the treat to the goal: 0.9⁸ = 0.43 is more than 0.9 · 0.3 = 0.27. For 0.8 to the treat: 0.17 is less than 0.24.",
            panel="applications.live_agent",
            steps=(
                Step(
                    {"Train live": "on"},
                    "the greedy way lead to the goal in 9 steps, worth 0.430.",
                    lambda p: says(p, "leads to the goal in 9 steps", "the best possible 0.430"),
                ),
                Step(
                    {"Discount γ": "0.8"},
                    "the greedy way lead to the treat in 2 steps, worth 0.240.",
                    lambda p: says(p, "leads to the treat in 2 steps", "the best possible 0.240"),
                ),
            ),
        ),
        Question(
            ask="VGG16 is to fit into a message of 10 MB. Do 4 bits for each parameter suffice, and does 1 bit?",
            answer="Neither: 553 MB at 32 bits are 69 MB at 4 bits and 17 MB at 1 bit. Something must go as well.",
            panel="applications.giants",
            steps=(
                Step(
                    {"Bits for each parameter": "1"},
                    "AlexNet as the largest network that fits at 1 bit; VGG16 does not.",
                    lambda p: says(p, "At 1 bit each", "the largest of them AlexNet"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "functions to write, for whoever likes one of the applications"),
        Skip(4, "reinforcement learning is the longest section, and the course does not come back to it"),
        Skip(3, "one of the two encoders, captions or translation, is enough to make Q felt"),
    ),
)
