"""Do we need all these parameters?"""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

NETWORK, SHARE, DENSITY = "Network, by size", "Share corrupted", "Share of the weights kept"
UP, DOWN, DEALT = "Bits per weight, up", "Bits per weight, down", "Distribution of the rows"

LESSON = Lesson(
    number="03",
    titles={
        "parameters.zoo": "Parameters, operations, accuracy",
        "parameters.corrupted": "Fitting data without meaning",
        "parameters.predicted": "The first layer from a few of its weights",
        "parameters.federated": "Many clients, one network",
    },
    misconceptions=(
        Misconception(
            claim="More parameters mean more operations.",
            truth="A dense layer uses each weight once per image, a convolution at every position. What matters is where the parameters are, not how many there are.",
            panel="parameters.zoo",
            steps=(
                Step(
                    {NETWORK: "alexnet"},
                    "61 million parameters and 0.714 GFLOPs.",
                    lambda p: says(p, "61.1 million parameters", "0.714 GFLOPs"),
                ),
                Step(
                    {NETWORK: "densenet161"},
                    "28.7 million parameters and 7.73 GFLOPs: half the parameters, eleven times the operations.",
                    lambda p: says(p, "28.7 million parameters", "7.73 GFLOPs"),
                ),
            ),
        ),
        Misconception(
            claim="A network with no errors on its training rows has learned something that generalizes.",
            truth="With random labels there is nothing that generalizes, and the training error still goes to zero. It only takes longer.",
            panel="parameters.corrupted",
            steps=(
                Step(
                    {SHARE: "0%"},
                    "a training error of zero, and a test error of about 9 %.",
                    lambda p: (
                        number_in(p, "loss is #") < 0.1
                        and number_in(p, "# % of the training rows") == 0
                        and number_in(p, "wrong and # %") < 15
                    ),
                ),
                Step(
                    {SHARE: "100%"},
                    "a training error of zero again, and a test error of about 93 %.",
                    lambda p: number_in(p, "# % of the training rows") == 0 and number_in(p, "wrong and # %") > 85,
                ),
            ),
        ),
        Misconception(
            claim="Dense networks recognize images because they know which pixels are neighbours.",
            truth="To a dense layer the order of its inputs means nothing: the same permutation of the pixels of all images changes almost nothing. (For a convolution it would matter.) A different permutation for each image destroys everything.",
            panel="parameters.corrupted",
            steps=(
                Step(
                    {SHARE: "100%", "Kind of corruption": "shuffled pixels"},
                    "a test error of about 8 %, as without shuffling.",
                    lambda p: number_in(p, "wrong and # %") < 15,
                ),
                Step(
                    {"Kind of corruption": "random pixels"},
                    "a test error of about 91 %.",
                    lambda p: number_in(p, "wrong and # %") > 80,
                ),
            ),
        ),
        Misconception(
            claim="If weights can be predicted from others, it can be done after training.",
            truth="The features of a trained network are not smooth, and nothing predicts them. The remaining weights must be trained: the network then learns features that can be predicted.",
            panel="parameters.predicted",
            steps=(
                Step(
                    {DENSITY: "20%"},
                    "an accuracy of about 20 % without training, and of about 86 % once the remaining weights are trained.",
                    lambda p: (
                        number_in(p, "predicted: accuracy #% before training") < 35
                        and number_in(p, "before training, #%") > 80
                    ),
                ),
                Step(
                    {"The others are predicted from": "the covariance of the pixels"},
                    "an accuracy of about 90 % once they are trained, against 76 % with the others at 0.",
                    lambda p: number_in(p, "before training, #%") > 86 and number_in(p, "others at 0: #%") < 82,
                ),
            ),
        ),
        Misconception(
            claim="In federated learning it is the small number of bits that costs accuracy.",
            truth="With stochastic rounding, averaged over the clients, 2 bits per weight of an update cost almost nothing, and in the 20 rounds of this panel neither does 1 bit (on MNIST it diverges after some ninety rounds). What costs accuracy is that the clients have different classes.",
            panel="parameters.federated",
            steps=(
                Step(
                    {UP: "1", "Train": "press"},
                    "an accuracy of about 94 % with 1 bit up, and of about 95 % with 32 bits.",
                    lambda p: number_in(p, "clients: accuracy #%") > 92 and number_in(p, "with 32 bits #%") < 97,
                ),
                Step(
                    {UP: "32", DEALT: "sorted, few classes at each client"},
                    "an accuracy of about 87 % with 32 bits, where each client has few classes.",
                    lambda p: number_in(p, "clients: accuracy #%") < 91,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="VGG-16 has 138 million parameters. How many times fewer does the smallest network have that is at least as accurate?",
            answer="39.5 times fewer: a ShuffleNet.",
            panel="parameters.zoo",
            steps=(
                Step(
                    {NETWORK: "vgg16"},
                    "that shufflenet_v2_x1_5 is as good with 39.5 times fewer parameters.",
                    lambda p: says(p, "shufflenet_v2_x1_5 is as good with 39.5 times fewer"),
                ),
            ),
        ),
        Question(
            ask="ResNet-50 was trained again, longer and with a better recipe. How many more parameters did the better network need?",
            answer="None: it went from 76.1 % to 80.9 % with the same 25.6 million. The number of parameters does not decide the accuracy.",
            panel="parameters.zoo",
            steps=(
                Step(
                    {NETWORK: "resnet50"},
                    "25.6 million parameters, an accuracy of 76.1 %.",
                    lambda p: says(p, "25.6 million parameters", "top-1 accuracy 76.1 %"),
                ),
                Step(
                    {"Weights": "the best since"},
                    "25.6 million parameters, an accuracy of 80.9 %.",
                    lambda p: says(p, "25.6 million parameters", "top-1 accuracy 80.9 %"),
                ),
            ),
        ),
        Question(
            ask="All labels are random. Does the network with 19,210 parameters fit all 200 rows, and when? And the one with 610?",
            answer="The large one does, in about 40 epochs instead of 11. The small one, though it has three parameters per row, does not.",
            panel="parameters.corrupted",
            steps=(
                Step(
                    {SHARE: "100%"},
                    "that all training rows are fitted, after some 40 epochs.",
                    lambda p: 20 < number_in(p, "rows fit in epoch #") < 75,
                ),
                Step(
                    {"Hidden neurons": "8: 610 parameters"},
                    "that not all training rows are fitted: the training error is about 60 %.",
                    lambda p: says(p, "not all training rows fit") and number_in(p, "# % of the training rows") > 40,
                ),
            ),
        ),
        Question(
            ask="4 bits up and 32 bits down: by what factor can that reduce the bytes, at most, against 32 bits both ways?",
            answer="By less than 2, because the download is unchanged; here 7.7 MB become 4.3.",
            panel="parameters.federated",
            steps=(
                Step(
                    {UP: "4", "Train": "press"},
                    "about 0.5 MB up and 3.85 MB down, with 32 bits 3.85 MB each way.",
                    lambda p: number_in(p, "after # MB up") < 0.6 and says(p, "3.85 MB down", "after 3.85 and 3.85 MB"),
                ),
                Step({DOWN: "8"}, "about 1 MB down with 8 bits.", lambda p: number_in(p, "MB up and # MB down") < 1.5),
            ),
        ),
    ),
    skip=(
        Skip(5, "three functions to write; exercise 03 has others"),
        Skip(4, "federated averaging is one reason among several to count bytes"),
        Skip(3, "predicted weights are the hardest section of this notebook, and the exercise returns to them"),
    ),
)
