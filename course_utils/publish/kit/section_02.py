"""Some applications of neural networks."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

CHANGE, MUCH = "Change the edges", "How much"

LESSON = Lesson(
    number="02",
    titles={
        "applications.imagenet": "ImageNet, year by year",
        "applications.classification": "What a small network predicts",
        "applications.captions": "A name, letter by letter",
        "applications.translation": "From edges to a digit",
        "applications.live_agent": "An agent in a grid world",
        "applications.depth": "How much of the gradient arrives",
        "applications.giants": "Miniatures beside giants",
    },
    misconceptions=(
        Misconception(
            claim="When a network is wrong, it is at least uncertain.",
            truth="Its probabilities add up to 1 for any input. It gives some of its wrong answers a probability of more than 90 %: a network does not know what it does not know.",
            panel="applications.classification",
            steps=(
                Step(
                    {"Which pictures": "only misclassified ones", "Test picture": "20"},
                    "a wrong answer to which the network gives more than 90 %.",
                    lambda p: says(p, "wrong. With 1 guess") and float(p.result.p.max()) > 0.9,
                ),
            ),
        ),
        Misconception(
            claim="Twice the parameters halve the errors.",
            truth="At first they do more than that, later much less: the last percent is the expensive one.",
            panel="applications.classification",
            steps=(
                Step(
                    {"Filters in the first layer": "1"},
                    "an error of 47 % with Q = 120.",
                    lambda p: number_in(p, "test pictures, # %") > 35,
                ),
                Step(
                    {"Filters in the first layer": "4"},
                    "an error of 9 % with Q = 666: five times the parameters, a fifth of the errors.",
                    lambda p: 5 < number_in(p, "test pictures, # %") < 14,
                ),
                Step(
                    {"Filters in the first layer": "8"},
                    "an error of about 5 % with Q = 1,898.",
                    lambda p: 3 < number_in(p, "test pictures, # %") < 7,
                ),
                Step(
                    {"Filters in the first layer": "16"},
                    "an error of about 3 % with Q = 6,090: three times the parameters, and only a third fewer errors.",
                    lambda p: 1.5 < number_in(p, "test pictures, # %") < 4.5,
                ),
            ),
        ),
        Misconception(
            claim="A recurrent network needs only its last output to continue.",
            truth="After “se” and after “seve” the last letter is the same e, but v must follow in one case and n in the other. The state makes the difference; without it not a single name is right.",
            panel="applications.captions",
            steps=(
                Step({"Step": "3"}, "that after “se” comes v.", lambda p: says(p, "after “se” comes “v”")),
                Step({"Step": "5"}, "that after “seve” comes n.", lambda p: says(p, "after “seve” comes “n”")),
                Step(
                    {"The state is": "set to zero after each letter"},
                    "that 0 % of the names are right.",
                    lambda p: number_in(p, "pictures #% of the names") < 5,
                ),
            ),
        ),
        Misconception(
            claim="Everything that an image-to-image network draws was in its input.",
            truth="It draws what fits its training data. Without the upper half of the edges it invents an upper half, and usually a wrong one. Its output is no evidence.",
            panel="applications.translation",
            steps=(
                Step(
                    {"Through": "8 numbers"},
                    "about 88 % of the outputs read correctly from complete edges.",
                    lambda p: number_in(p, "classifier #%") > 80,
                ),
                Step(
                    {CHANGE: "erase from the top", MUCH: "50%"},
                    "complete digits all the same, of which only a quarter are read correctly.",
                    lambda p: number_in(p, "classifier #%") < 40,
                ),
            ),
        ),
        Misconception(
            claim="A deep network needs nothing but a ReLU in place of the sigmoid.",
            truth="With the ReLU the gradient arrives only if the initial weights have just the right scale. Skip connections with normalization work at any scale.",
            panel="applications.depth",
            steps=(
                Step(
                    {"Hidden layers": "100"},
                    "that ReLU passes the gradient on, even through 100 layers.",
                    lambda p: number_in(p, "; ReLU # and") > 0.01,
                ),
                Step(
                    {"Weights multiplied by": "0.8"},
                    "that weights smaller by a fifth leave almost nothing of it, while with skip connections it arrives.",
                    lambda p: (
                        says(p, "× 10⁻¹")
                        and number_in(p, "; ReLU # × 10⁻") > 0
                        and number_in(p, "shortcuts # and") > 0.1
                    ),
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="The winners of 2010 and 2011 had errors of 28 % and 26 %. At that pace, which error would 2015 have had, and which did it have?",
            answer="About 19 %. It was 3.6 %, below the trained annotator's 5.1 %.",
            panel="applications.imagenet",
            steps=(
                Step(
                    {"Year": "2015", "Continue the trend of 2010 to 2011": "on"},
                    "3.6 %, and 19.3 % at the old pace.",
                    lambda p: says(p, "for 3.6 % of the pictures", "would be 19.3 %"),
                ),
            ),
        ),
        Question(
            ask="The smallest network is wrong on almost every second digit. How often do five guesses all miss?",
            answer="In 6 of 100 cases. Five guesses out of ten classes are generous; out of 1,000 they are not.",
            panel="applications.classification",
            steps=(
                Step(
                    {"Filters in the first layer": "1", "Guesses allowed, k": "5"},
                    "an error of about 6 %.",
                    lambda p: 3 < number_in(p, "test pictures, # %") < 10,
                ),
            ),
        ),
        Question(
            ask="The goal, worth 1, is nine steps away; the treat, worth 0.3, is two. Where does the agent go for γ = 0.9, and where for γ = 0.8?",
            answer="For 0.9 past the treat to the goal: 0.9⁸ = 0.43 is more than 0.9 · 0.3 = 0.27. For 0.8 to the treat: 0.17 is less than 0.24.",
            panel="applications.live_agent",
            steps=(
                Step(
                    {"Train": "press"},
                    "the greedy path lead to the goal in 9 steps, worth 0.430.",
                    lambda p: says(p, "leads to the goal in 9 steps", "the best possible 0.430"),
                ),
                Step(
                    {"Discount γ": "0.8"},
                    "the greedy path lead to the treat in 2 steps, worth 0.240.",
                    lambda p: says(p, "leads to the treat in 2 steps", "the best possible 0.240"),
                ),
            ),
        ),
        Question(
            ask="VGG16 must fit into a message of 10 MB. Are 4 bits per parameter enough, and is 1 bit?",
            answer="Neither: 553 MB at 32 bits are 69 MB at 4 bits and 17 MB at 1 bit. Some parameters must be removed as well.",
            panel="applications.giants",
            steps=(
                Step(
                    {"Bits per parameter": "1"},
                    "AlexNet as the largest network that fits at 1 bit; VGG16 does not.",
                    lambda p: says(p, "At 1 bit each", "the largest of them AlexNet"),
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "functions to write, for students who like one of the applications"),
        Skip(4, "reinforcement learning is the longest section, and the course does not return to it"),
        Skip(3, "one of the two encoders, captions or translation, is enough to give a feeling for Q"),
    ),
)
