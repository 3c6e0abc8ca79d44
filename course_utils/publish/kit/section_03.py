"""Do we need all these parameters?"""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import said, says

NETWORK, SHARE, KEPT = "Network, by size", "Share corrupted", "Share of the weights kept"
UP, DOWN, DEALT = "Bits for each weight, up", "Bits for each weight, down", "The rows are dealt"

LESSON = Lesson(
    number="03",
    titles={
        "parameters.zoo": "Parameters, operations, accuracy",
        "parameters.corrupted": "Fitting what means nothing",
        "parameters.predicted": "The first layer from a few of its weights",
        "parameters.federated": "Many clients, one network",
    },
    misconceptions=(
        Misconception(
            claim="More parameters mean more operations.",
            truth="A dense layer uses each weight once for a picture, a convolution at every place. Where the parameters lie decides, and not how many there are.",
            panel="parameters.zoo",
            steps=(
                Step(
                    {NETWORK: "alexnet"},
                    "61 million parameters and 0.714 GFLOPs.",
                    lambda p: says(p, "61.1 million parameters", "0.714 GFLOPs"),
                ),
                Step(
                    {NETWORK: "densenet161"},
                    "28.7 million parameters and 7.73 GFLOPs: half of the parameters, eleven times the operations.",
                    lambda p: says(p, "28.7 million parameters", "7.73 GFLOPs"),
                ),
            ),
        ),
        Misconception(
            claim="A network without errors on its training rows has understood something.",
            truth="With random labels there is nothing to understand, and the training error goes to zero as well. It only takes longer.",
            panel="parameters.corrupted",
            steps=(
                Step(
                    {SHARE: "0%"},
                    "no errors on training rows, about 9 % on test rows.",
                    lambda p: (
                        said(p, "loss is #") < 0.1
                        and said(p, "# % of the training rows") == 0
                        and said(p, "wrong and # %") < 15
                    ),
                ),
                Step(
                    {SHARE: "100%"},
                    "no errors on training rows again, and about 93 % on test rows.",
                    lambda p: said(p, "# % of the training rows") == 0 and said(p, "wrong and # %") > 85,
                ),
            ),
        ),
        Misconception(
            claim="Dense networks read pictures because they see which pixels are neighbours.",
            truth="To a dense layer the order of its inputs means nothing: the same shuffling of all pictures changes next to nothing. (A convolution would mind.) An order of its own for each picture destroys everything.",
            panel="parameters.corrupted",
            steps=(
                Step(
                    {SHARE: "100%", "Corrupted are": "shuffled pixels"},
                    "about 8 % wrong test rows, as without shuffling.",
                    lambda p: said(p, "wrong and # %") < 15,
                ),
                Step(
                    {"Corrupted are": "random pixels"},
                    "about 91 % wrong test rows.",
                    lambda p: said(p, "wrong and # %") > 80,
                ),
            ),
        ),
        Misconception(
            claim="If weights can be predicted from others, one can do it after the training.",
            truth="The features of a trained network are rough, and nothing predicts them. One must train what is kept: the network then learns features that can be predicted.",
            panel="parameters.predicted",
            steps=(
                Step(
                    {KEPT: "20%"},
                    "an accuracy of about 20 % as it is, and of about 86 % once the kept weights are trained.",
                    lambda p: said(p, "predicted: accuracy #% as it is") < 35 and said(p, "as it is, #%") > 80,
                ),
                Step(
                    {"The others are predicted from": "how pixels go together"},
                    "about 90 % once they are trained, against 76 % with the others at 0.",
                    lambda p: said(p, "as it is, #%") > 86 and said(p, "others at 0: #%") < 82,
                ),
            ),
        ),
        Misconception(
            claim="In federated learning few bits are what costs accuracy.",
            truth="With stochastic rounding and averaged over the clients, 2 bits for each weight of an update cost almost nothing, and in the 20 rounds of this panel even 1 bit does not (on MNIST it diverges after some ninety rounds). What costs is that clients know different classes.",
            panel="parameters.federated",
            steps=(
                Step(
                    {UP: "1", "Train live": "on"},
                    "an accuracy of about 94 % with 1 bit up, with 32 bits about 95 %.",
                    lambda p: said(p, "clients: accuracy #%") > 92 and said(p, "with 32 bits #%") < 97,
                ),
                Step(
                    {UP: "32", DEALT: "sorted, each knows few classes"},
                    "an accuracy of about 87 % with 32 bits, where each client knows few classes.",
                    lambda p: said(p, "clients: accuracy #%") < 91,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="VGG-16 has 138 million parameters. How many times fewer has the smallest network that is at least as good?",
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
            ask="ResNet-50 was trained again, longer and better. How many more parameters did the better one need?",
            answer="None: it went from 76.1 % to 80.9 % with the same 25.6 million. The number of parameters does not decide the accuracy.",
            panel="parameters.zoo",
            steps=(
                Step(
                    {NETWORK: "resnet50"},
                    "25.6 million parameters, top-1 accuracy 76.1 %.",
                    lambda p: says(p, "25.6 million parameters", "top-1 accuracy 76.1 %"),
                ),
                Step(
                    {"Weights": "the best since"},
                    "25.6 million parameters, top-1 accuracy 80.9 %.",
                    lambda p: says(p, "25.6 million parameters", "top-1 accuracy 80.9 %"),
                ),
            ),
        ),
        Question(
            ask="All labels are random. Does the network of 19,210 parameters fit all 200 rows, and when? And the one of 610?",
            answer="The large one does, in about 40 epochs instead of 11. The small one, with still three parameters for each row, does not.",
            panel="parameters.corrupted",
            steps=(
                Step(
                    {SHARE: "100%"},
                    "that all training rows fit, after some 40 epochs.",
                    lambda p: 20 < said(p, "rows fit in epoch #") < 75,
                ),
                Step(
                    {"Hidden neurons": "8: 610 parameters"},
                    "that not all training rows fit: about 60 % of them are wrong.",
                    lambda p: says(p, "not all training rows fit") and said(p, "# % of the training rows") > 40,
                ),
            ),
        ),
        Question(
            ask="4 bits up and 32 bits down: how many times fewer bytes can that be, at most, than 32 bits both ways?",
            answer="Less than 2 times, because the way down stays what it was; here 7.7 MB become 4.3.",
            panel="parameters.federated",
            steps=(
                Step(
                    {UP: "4", "Train live": "on"},
                    "about 0.5 MB up and 3.85 MB down, with 32 bits 3.85 MB each way.",
                    lambda p: said(p, "after # MB up") < 0.6 and says(p, "3.85 MB down", "after 3.85 and 3.85 MB"),
                ),
                Step({DOWN: "8"}, "about 1 MB down with 8 bits.", lambda p: said(p, "MB up and # MB down") < 1.5),
            ),
        ),
    ),
    skip=(
        Skip(5, "three functions to write; exercise 03 has others"),
        Skip(4, "federated averaging is one reason among several to count bytes"),
        Skip(3, "predicted weights are the hardest section here, and the exercise comes back to them"),
    ),
)
