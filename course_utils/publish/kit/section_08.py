"""Distilling the knowledge."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

CLEAR = {"Input, from ambiguous to clear": "24"}

LESSON = Lesson(
    number="08",
    titles={
        "distilling.softened": "What the teacher thinks",
        "distilling.live_training": "A student and its twin",
        "distilling.left_out": "A class left out",
    },
    misconceptions=(
        Misconception(
            claim="A high temperature changes the teacher's answer.",
            truth="Dividing all logits by the same number keeps their order: the most likely class stays the most likely one, but with a lower probability.",
            panel="distilling.softened",
            steps=(
                Step(
                    {"Temperature T": "1"},
                    "one class well ahead, though this input is one of the most ambiguous.",
                    lambda p: p.result.soft.max() > 0.5,
                ),
                Step(
                    {"Temperature T": "40"},
                    "the same classes in the same order, with nearly one tenth each.",
                    lambda p: p.result.soft.min() > 0.07 and p.result.soft.max() < 0.13,
                    lambda now, before: list(now.soft.argsort()) == list(before.soft.argsort()),
                ),
            ),
        ),
        Misconception(
            claim="A confident teacher has nothing to tell beyond the label.",
            truth="At T = 1 one bar stands alone, but the tiny probabilities differ from each other, and a higher temperature makes that visible: this is the dark knowledge.",
            panel="distilling.softened",
            steps=(
                Step(
                    CLEAR | {"Temperature T": "1"},
                    "one bar, and an entropy of 0.00 bits.",
                    lambda p: says(p, "entropy of its answer is 0.00 bits"),
                ),
                Step(
                    {"Temperature T": "8"},
                    "the other classes, with quite different probabilities: an entropy of more than two bits.",
                    lambda p: number_in(p, "entropy of its answer is # bits") > 1.5,
                ),
            ),
        ),
        Misconception(
            claim="Distillation always makes a student better.",
            truth="A soft answer holds more information than a label, but whether that helps depends on the student, the training and T. On the digits it helps with 50 rows, and in this short training not with 400. On MNIST it helps even with 60,000 labels: 146 errors become 74 as published, and 137 become 98.5 as measured in this course.",
            panel="distilling.live_training",
            steps=(
                Step(
                    {"Training rows": "50", "Train": "press"},
                    "an error several percentage points lower with the teacher than without, on 50 rows.",
                    lambda p: number_in(p, "labels only, #") < number_in(p, "test error # %") - 2,
                ),
                Step(
                    {"Training rows": "400"},
                    "no advantage on 400 rows.",
                    lambda p: number_in(p, "labels only, #") > number_in(p, "test error # %") - 1.5,
                ),
            ),
        ),
        Misconception(
            claim="With a good teacher the size of the student does not matter.",
            truth="The teacher tells the student what to learn, but adds no capacity. Four neurons fail with any teacher.",
            panel="distilling.live_training",
            steps=(
                Step(
                    {"Hidden neurons of the student": "4", "Train": "press"},
                    "an error above 50 %, with the teacher and without.",
                    lambda p: number_in(p, "labels only, #") > 50 and number_in(p, "test error # %") > 50,
                ),
            ),
        ),
        Misconception(
            claim="A class that is missing from the training set cannot be learned.",
            truth="The teacher's answers about other rows say what the class looks like. The student has only learned that it never occurs: a single number, its bias, is too low.",
            panel="distilling.left_out",
            steps=(
                Step(
                    {},
                    "more than half of the 24 threes recognized by a student that was never trained on a three.",
                    lambda p: number_in(p, "errors on 225 test rows, # of them") < 12,
                ),
                Step(
                    {"Shift of the bias of that class": "1.25"},
                    "even fewer errors on threes, once their bias is raised.",
                    lambda p: number_in(p, "errors on 225 test rows, # of them") < 8,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="What happens to the probabilities when T goes to infinity, and what when it goes to 0?",
            answer="They become 1/10 each: the entropy goes to log₂ 10 = 3.32 bits. Towards 0 the largest one becomes 1.",
            panel="distilling.softened",
            steps=(
                Step(
                    {"Temperature T": "40"},
                    "an entropy of 3.31 bits out of 3.32.",
                    lambda p: number_in(p, "entropy of its answer is # bits") > 3.25,
                ),
                Step(
                    {"Temperature T": "0.5"},
                    "the most likely class with more than 0.8, though this input is one of the most ambiguous.",
                    lambda p: p.result.soft.max() > 0.8,
                ),
            ),
        ),
        Question(
            ask="You set α to 0. What do the two curves look like?",
            answer="They coincide: the teacher has no weight, and both students start with the same weights and see the same rows.",
            panel="distilling.live_training",
            steps=(
                Step(
                    {"α, weight of the teacher": "0", "Train": "press"},
                    "the same error twice.",
                    lambda p: number_in(p, "labels only, #") == number_in(p, "test error # %"),
                ),
            ),
        ),
        Question(
            ask="A class is left out. Is a low or a high temperature better for the student?",
            answer="A high one: at T = 1 the soft answers hardly mention the class, and most threes are misclassified; at T = 8 nearly all are recognized.",
            panel="distilling.left_out",
            steps=(
                Step(
                    {"Temperature T": "1"},
                    "about 18 of 24 threes misclassified.",
                    lambda p: number_in(p, "errors on 225 test rows, # of them") > 12,
                ),
                Step(
                    {"Temperature T": "8"},
                    "about 3 of 24 misclassified.",
                    lambda p: number_in(p, "errors on 225 test rows, # of them") < 8,
                ),
            ),
        ),
        Question(
            ask="You raise the bias of the class that was left out further and further. What happens to the other classes?",
            answer="They lose rows to it: the errors decrease, reach a minimum, and increase again.",
            panel="distilling.left_out",
            steps=(
                Step(
                    {"Shift of the bias of that class": "8"},
                    "no three misclassified, and some 48 errors in total.",
                    lambda p: says(p, "0 of them on the 24 rows") and number_in(p, "+8: # errors") > 30,
                ),
            ),
        ),
    ),
    skip=(
        Skip(5, "a softmax and a loss to write; exercise 08 asks for both too"),
        Skip(4, "two more uses of the same idea, in code without a panel"),
        Skip(3, "the most surprising rows of the paper's table are then told, not shown"),
    ),
)
