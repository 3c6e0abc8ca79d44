"""The words and the symbols of the course, as plain data: the one source of `notebooks/glossary.ipynb`.

A word stands with the notebook that introduces it; tests check that it is really used there, and that each symbol of
the equations (1) to (20) is listed with the equation that it stands in.
"""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["NOTATION", "TERMS", "Matches", "Symbol", "Term", "find"]


@dataclass(frozen=True)
class Term:
    """A word, what it means, and the number of the notebook that introduces it.

    `spelled`: how the word stands in that notebook where it is not spelled as here.
    """

    name: str
    meaning: str
    notebook: str
    spelled: str = ""


@dataclass(frozen=True)
class Symbol:
    """A symbol in LaTeX, what it stands for, its shape or its range, and the equations and notebooks that use it so."""

    latex: str
    meaning: str
    shape: str
    notebooks: tuple[str, ...]
    equations: tuple[int, ...] = ()


TERMS = (
    # 01 Building and optimizing a neural network
    Term("accuracy", "the fraction of rows that a network classifies correctly", "01"),
    Term("activation function", "the function g that is applied to each weighted sum; without it stacked layers would be one layer", "01", "activation"),
    Term("back-propagation", "the chain rule, applied from the loss backwards through the layers: it gives all derivatives in one pass", "01"),
    Term("batch size", "the number of rows in a mini-batch", "01"),
    Term("bend", "a point at which a piecewise linear function changes its slope; a kink", "01"),
    Term("bias", "the number that a unit adds to its weighted sum", "01"),
    Term("convolution", "a layer that slides one small set of weights over its input", "01"),
    Term("convolutional network", "convolutions, activations and pooling in turn, and a dense layer at the end; CNN for short", "01"),
    Term("cost", "the mean loss over all training rows, J", "01"),
    Term("cross-entropy", "the loss of a classifier: minus the logarithm of the probability that it gives to the true class", "01"),
    Term("decision boundary", "the line between the regions of two classes, where a classifier's prediction changes", "01"),
    Term("dense layer", "a layer in which every unit has a weight for every input", "01", "dense"),
    Term("depth", "the number of layers", "01"),
    Term("epoch", "one pass over all training rows", "01"),
    Term("feature map", "the results of a convolution at all positions", "01"),
    Term("filter", "the small set of weights that a convolution slides over its input; also called kernel", "01"),
    Term("gradient", "the vector of the derivatives of the cost with respect to all parameters: it points in the direction of steepest increase", "01"),
    Term("hidden layer", "a layer between the input and the output", "01", "hidden"),
    Term("kernel", "in a convolution its filter; in a KAF and in kernel ridge regression a function that says how similar two points are", "01"),
    Term("label", "the true class, or the true value, that comes with a row of data", "01"),
    Term("layer", "a matrix of weights, biases, and an activation: it turns one vector into another", "01"),
    Term("learning rate", "the factor η by which the gradient is multiplied in a step", "01"),
    Term("loss", "a number that says how wrong one prediction is", "01"),
    Term("mini-batch", "the few rows from which a step estimates the gradient", "01"),
    Term("minimum", "the lowest value of a function, such as the cost, or the point at which it has this value", "01"),
    Term("momentum", "each step continues a little in the direction of the previous one", "01"),
    Term("padding", "zeros around an image, so that a convolution reaches its border", "01"),
    Term("parameter", "a number that training sets: a weight or a bias; a network has Q of them", "01"),
    Term("pooling", "keeps the maximum of a few neighbours, and so makes an image smaller", "01"),
    Term("ReLU", "the activation max(0, s)", "01"),
    Term("softmax", "turns outputs into probabilities: the exponential of each, divided by their sum", "01"),
    Term("stochastic gradient descent", "steps against gradients estimated from mini-batches; SGD for short", "01"),
    Term("tensor", "an array of numbers in any number of dimensions: a vector, a matrix, a stack of images", "01"),
    Term("test rows", "data that no step of the training has used; a network is judged by its accuracy on them", "01", "test images"),
    Term("unit", "one row of a layer's matrix with its activation; also called neuron", "01"),
    Term("universal approximator", "a model that can approximate any continuous function as closely as desired", "01"),
    Term("weight", "a number by which an input is multiplied", "01"),
    Term("width", "the number of units in a layer", "01"),
    # 02 Some applications of neural networks
    Term("action", "one of the choices that an agent has", "02"),
    Term("agent", "a program that acts in an environment and learns from rewards", "02"),
    Term("attention", "a part of a network that learns which parts of the input to weight highly", "02"),
    Term("bottleneck", "the few numbers through which an encoder-decoder has to pass all information", "02"),
    Term("byte", "eight bits; a number of 32 bits takes four", "02"),
    Term("decoder", "the part of a network that makes a picture, or words, out of a few numbers", "02"),
    Term("deep Q-learning", "a network learns the Q-values from the experience of an agent", "02"),
    Term("discount", "the factor γ below 1 by which a reward counts less with each step of delay", "02"),
    Term("dropout", "in each step of the training some neurons, drawn at random, are set to zero", "02"),
    Term("encoder", "the part of a network that summarizes its input in a few numbers", "02"),
    Term("episode", "one run of an agent from a start to an end", "02"),
    Term("greedy", "describes an agent that always takes the action with the largest Q-value", "02"),
    Term("image to image", "a network that turns one picture into another", "02", "image-to-image"),
    Term("ImageNet", "a competition with photos of 1,000 classes", "02"),
    Term("Q-value", "the expected return after an action; not related to Q, the number of parameters", "02"),
    Term("quality", "how well a network does its task, in the unit of the task", "02"),
    Term("recurrent network", "a network that passes a state on from step to step", "02"),
    Term("reinforcement learning", "learning from rewards alone how to act", "02"),
    Term("replay memory", "the past steps that an agent stores and learns from again", "02"),
    Term("return", "the sum of an agent's rewards, later ones discounted", "02"),
    Term("reward", "the number that tells an agent after an action how good it was", "02"),
    Term("shortcut", "a connection that skips some layers of a network", "02"),
    Term("sigmoid", "an S-shaped activation with values from 0 to 1", "02"),
    Term("state", "the vector that a recurrent network carries from step to step; also the situation of an agent", "02"),
    Term("tanh", "an S-shaped activation with values from −1 to 1", "02"),
    Term("top-5 error", "the fraction of images whose true class is not among the network's five most likely ones", "02"),
    # 03 Do we need all these parameters?
    Term("client", "a device that trains on its own rows and sends only weights", "03"),
    Term("covariance", "how strongly two quantities, such as two pixels, vary together", "03"),
    Term("feature", "the weights of a neuron of the first layer, drawn as a picture", "03"),
    Term("federated averaging", "clients train copies of a network on their own rows, a server averages the weights", "03"),
    Term("early stopping", "ending the training before the network overfits", "03"),
    Term("FLOP", "one floating-point operation; a GFLOP is a billion of them", "03"),
    Term("generalization", "the ability of a network to be accurate on data that it was not trained on", "03", "generaliz"),
    Term("kernel ridge regression", "a fit of a weighted sum of kernels to known points by linear equations, with an l2 penalty on the coefficients", "03"),
    Term("local epochs", "the passes of a client over its own rows in one round", "03"),
    Term("over-parameterized", "with more parameters than training rows, or than the task needs", "03"),
    Term("overfitting", "fitting the training rows, and their noise, much better than new data", "03", "overfit"),
    Term("random labels", "labels that have been drawn at random; a large network memorizes them all the same", "03"),
    Term("round", "in federated averaging: the server sends the weights out, the clients train them, and the server averages them", "03"),
    Term("stochastic rounding", "rounding up or down at random, with probabilities that make the expectation correct", "03"),
    # 04 Sparse and group-sparse penalties
    Term("elastic net", "a mixture of the l1 penalty and l2", "04"),
    Term("group lasso", "a penalty on the norm of each group of weights, so that all weights of a group become zero together", "04"),
    Term("hyper-parameter", "a number that the user chooses before the training, such as λ or η", "04"),
    Term("l1 penalty", "the sum of the magnitudes of the weights; makes weights exactly zero", "04", "l1"),
    Term("LASSO", "a linear model trained with an l1 penalty", "04"),
    Term("level curve", "all points at which a function has the same value", "04"),
    Term("penalty", "a term that is added to the cost and favours something more, such as few or small weights", "04"),
    Term("proximal step", "the exact minimum of a small problem: stay near the weight, and keep the penalty small", "04"),
    Term("regularizer", "anything that reduces overfitting, such as a penalty or noise", "04"),
    Term("soft thresholding", "the proximal step of l1: a weight near zero becomes zero, all others move towards zero", "04"),
    Term("sparse group lasso", "a mixture of l1 and the group lasso: few neurons, and few weights in those that remain", "04"),
    Term("sparsity", "the fraction of weights that are zero", "04"),
    Term("subgradient", "a slope at a kink, where there is no derivative: that of any line through the kink that stays below the function", "04"),
    Term("validation set", "rows held out from the training, on which hyper-parameters such as λ are chosen", "04"),
    Term("weight decay", "the l2 penalty, the sum of the squares of the weights; makes weights small, never zero", "04"),
    # 05 Limited-precision arithmetic
    Term("affine codes", "min-max codes over the range from the minimum to the maximum weight; one code represents 0 exactly", "05", "affine"),
    Term("bfloat16", "a floating format of 16 bits with the range of float32 and 7 bits of mantissa", "05"),
    Term("dequantize", "turn codes back into numbers", "05"),
    Term("dynamic fixed point", "fixed point in which a group of numbers shares a step that is adapted slowly", "05"),
    Term("exponent", "the part of a floating-point number that gives its power of two", "05"),
    Term("fixed point", "integers times one fixed step", "05"),
    Term("float16", "a floating format of 16 bits: 5 of exponent, 10 of mantissa", "05"),
    Term("float32", "the usual format of a weight: 32 bits, 8 of exponent, 23 of mantissa", "05"),
    Term("mantissa", "the part of a floating-point number that gives its digits: where it lies between two powers of two", "05"),
    Term("min-max codes", "integers spread evenly between the minimum and the maximum", "05", "min-max"),
    Term("overflow", "a number is too large for its format", "05"),
    Term("quantize", "turn numbers into codes of few bits", "05"),
    Term("symmetric codes", "min-max codes over the same range on both sides of 0", "05", "symmetric"),
    # 06 Binary neural networks
    Term("BinaryConnect", "training in which the network computes with signs, while real weights collect the updates", "06"),
    Term("binarization", "a weight becomes −1 or +1", "06"),
    Term("deterministic binarization", "the sign of the weight", "06", "deterministic"),
    Term("expectation", "the mean over many random draws", "06"),
    Term("hard sigmoid", "a straight line, clipped to the range from 0 to 1", "06"),
    Term("popcount", "the number of ones in a word of bits", "06"),
    Term("stochastic binarization", "each weight is drawn at random, with a probability that makes its expectation correct", "06", "stochastic"),
    Term("straight through", "the gradient passes through a rounding as if it were the identity; also called straight-through estimator", "06"),
    Term("ternary weights", "weights of three values: −t, 0 and +t", "06"),
    Term("XNOR", "the operation on two bits that is 1 where they agree", "06"),
    # 07 Deep Compression
    Term("arithmetic coder", "a coder that can spend a fraction of a bit on a symbol, and so comes closer to the entropy than Huffman's code; ANS is a fast relative", "07"),
    Term("centroid", "the value that the weights of a cluster share: their mean", "07"),
    Term("codebook", "the few values that the weights of a layer share; each weight is stored as the number of its value", "07"),
    Term("entropy", "the lower bound of the mean number of bits per symbol of any code", "07"),
    Term("filler zero", "a stored weight of value 0 that splits a gap which is too long for its bits", "07"),
    Term("gap", "the distance of a nonzero weight from the previous one", "07"),
    Term("Huffman code", "the optimal code among those that give each symbol a codeword of whole bits; frequent symbols get short ones", "07", "Huffman"),
    Term("k-means", "the method that groups numbers: each joins the nearest centroid, each centroid moves to the mean of its numbers", "07"),
    Term("Kraft's inequality", "the sum of 2 to the minus length over all codewords is at most 1: then a code with these lengths exists", "07"),
    Term("low rank", "a matrix as a product of two thin ones", "07"),
    Term("mixed contexts", "a coder that predicts each symbol from several neighbours at once", "07"),
    Term("pruning", "removing the weights of small magnitude", "07", "prun"),
    Term("retraining", "further training of what pruning has left; the zeros stay zero", "07", "retrain"),
    Term("share values", "let many weights of a layer have the same value, which is stored once, in a codebook", "07"),
    Term("singular value decomposition", "the way to the best low-rank matrix; SVD for short", "07"),
    # 08 Distilling the knowledge
    Term("adversarial example", "an input that is changed slightly, in a direction that makes the network fail", "08"),
    Term("dark knowledge", "what the small probabilities of a good network tell about the similarity of classes", "08"),
    Term("decision tree", "a list of yes-or-no questions that leads to an answer", "08"),
    Term("defensive distillation", "distilling at a high temperature as a defence against adversarial examples; it was broken later", "08"),
    Term("distillation", "training a small network with the help of a large one", "08"),
    Term("fast gradient sign method", "an attack: every pixel moves by ε along the sign of the gradient", "08"),
    Term("Kullback-Leibler divergence", "how far one set of probabilities is from another; 0 where they agree. KL for short", "08"),
    Term("logit", "an output of a classifier before the softmax", "08"),
    Term("student", "the small network that is trained with the help of a teacher", "08"),
    Term("teacher", "the large, well trained network whose probabilities a student imitates", "08"),
    Term("temperature", "the number T that divides the logits before the softmax; a large one makes small probabilities visible", "08"),
    Term("transfer set", "the rows on which a student imitates its teacher", "08"),
    # 09 Flexible activation functions
    Term("adaptive piecewise linear unit", "a ReLU with S more hinges; APL for short", "09", "adaptive piecewise linear"),
    Term("AUC", "the probability that an example of one class is ranked above one of the other", "09"),
    Term("convex", "curved upwards everywhere: no chord lies below the graph", "09"),
    Term("dictionary", "the places of a KAF's bumps, the same for all neurons", "09"),
    Term("KAF", "kernel activation function: an activation that is a sum of bumps at fixed places", "09"),
    Term("maxout", "a neuron whose output is the maximum of K linear functions of its inputs", "09"),
    Term("mixing coefficient", "the height α of a KAF's bump; the only part of a KAF that is trained", "09"),
    Term("non-parametric", "describes a model whose number of parameters the user chooses", "09"),
    Term("PReLU", "a ReLU whose slope below zero is trained", "09"),
    Term("scaled tanh", "an S-shaped activation whose height and steepness are trained", "09"),
    Term("trainable", "describes a number that the training sets, as it sets weights", "09"),
    # 10 Conclusions
    Term("lottery ticket hypothesis", "the conjecture that a large network contains a small one which, trained alone, would be as accurate", "10"),
)  # fmt: skip

NOTATION = (
    Symbol("h_l", "the input of layer l; h_1 is the input x of the network", "one number for each input", ("01",), (1,)),
    Symbol("l", "the number of a layer", "1, 2, …", ("01",), (1,)),
    Symbol("W", "the weights of a layer", "outputs × inputs", ("01",), (1,)),
    Symbol("b", "the biases of a layer", "one number for each output", ("01",), (1,)),
    Symbol("g", "an activation function", "applied to each number", ("01", "09"), (1, 2, 13, 14, 15, 16, 17)),
    Symbol("s", "the weighted sum that enters an activation function", "a number", ("01", "09"), (2, 13, 14, 15, 17, 18)),
    Symbol("w", "all weights and biases together, or one of them, w_i", "Q numbers, or one", ("01", "04", "05", "06"), (3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
    Symbol("Q", "the number of parameters", "an integer", ("01",)),
    Symbol("J", "the cost: the mean loss over the training rows", "a number from 0", ("01", "04"), (3, 4, 5, 7, 9)),
    Symbol("L", "the loss of one row", "a number from 0", ("01",), (3,)),
    Symbol("n", "the number of training rows", "an integer", ("01",), (3,)),
    Symbol("i", "the index of a sum: over rows, weights, hinges, kernels", "1, 2, …", ("01", "04", "09"), (3, 5, 6, 7, 8, 15, 16, 17, 18)),
    Symbol("y", "the label of a row, y_i", "a class, or a number", ("01",), (3,)),
    Symbol(r"\hat y", "the network's prediction for a row", "as y", ("01",), (3,)),
    Symbol(r"\eta", "the learning rate", "a number above 0", ("01", "04", "06"), (4,)),
    Symbol("v", "an output weight: from a hidden unit to the output", "a number", ("01",)),
    Symbol("m", "the momentum", "from 0 to 1", ("01",)),
    Symbol("W, U, V", "the weights of a recurrent network: from state to state, from a piece of the caption to the state, from the state to the output", "matrices", ("02",)),
    Symbol("e_t", "the vector that represents piece t of a caption; p_t are its probabilities", "a vector", ("02",)),
    Symbol(r"\varepsilon", "the probability of a random action", "from 0 to 1", ("02",)),
    Symbol(r"\gamma", "the discount of later rewards", "from 0 to 1", ("02",)),
    Symbol("Q(s, a)", "the expected return after action a in state s", "a number", ("02",)),
    Symbol("h_0", "the first state of a recurrent network", "a vector", ("02",)),
    Symbol("K", "the kernels k(i, j) of all pairs of pixels", "pixels × pixels", ("03",)),
    Symbol("w_o", "the kept (observed) weights of a feature; o are their pixels", "one number for each kept pixel", ("03",)),
    Symbol(r"\sigma", "the width of the kernel k(i, j), in pixels", "a number above 0", ("03",)),
    Symbol(r"\epsilon", "the ridge of kernel ridge regression", "a number from 0", ("03",)),
    Symbol("n_k", "the rows of client k; w_k are its weights after a round", "an integer", ("03",)),
    Symbol(r"\lambda", "the strength of a penalty", "a number from 0", ("04",), (5, 6, 7, 8, 9)),
    Symbol("G", "all groups of weights: of inputs, of hidden neurons, of biases", "a set of groups", ("04",), (9,)),
    Symbol("g", "one group of weights; |g| is its size", "a vector", ("04",), (9,)),
    Symbol(r"\lVert g \rVert_2", "the norm of a group: the root of the sum of the squares of its weights", "a number from 0", ("04",), (9,)),
    Symbol(r"\arg\min", "the point at which a function has its minimum", "as the argument", ("04",)),
    Symbol("a", "the minimum of the cost of a single weight", "a number", ("04",)),
    Symbol("r", "the weight of l1 in a mixture of penalties (`l1_ratio`)", "from 0 to 1", ("04",)),
    Symbol(r"w_b", "a binary weight", "−1 or +1", ("06",), (10, 11)),
    Symbol(r"\sigma", "the hard sigmoid: the probability of +1", "from 0 to 1", ("06",), (11, 12)),
    Symbol("b", "the bits of a code; b′ those of the updates", "an integer", ("05", "07")),
    Symbol("q", "the code of a number", "an integer of b bits", ("05",)),
    Symbol("z", "the code that stands for 0", "an integer of b bits", ("05",)),
    Symbol(r"\Delta", "the step between two codes", "a number above 0", ("05",)),
    Symbol("k", "the number of values in a codebook", "an integer", ("07",)),
    Symbol("T", "the temperature", "a number above 0", ("08",)),
    Symbol("z", "the logits", "one number for each class", ("08",)),
    Symbol("p", "the softened probabilities", "from 0 to 1, with sum 1", ("08",)),
    Symbol(r"\alpha", "the weight of the teacher's term in the loss", "from 0 to 1", ("08",)),
    Symbol("a", "the height of a scaled tanh; the slope of PReLU below zero; the slope a_i of a hinge", "a number", ("09",), (13, 14, 15)),
    Symbol("b", "the steepness of a scaled tanh; the place b_i of a hinge; the bias b_i of a maxout piece", "a number", ("09",), (13, 15, 16)),
    Symbol("e", "the base of the exponential function", "2.718…", ("09",), (13,)),
    Symbol("S", "the number of hinges of a piecewise linear unit", "an integer", ("09",), (15,)),
    Symbol(r"\mathbf{h}", "the inputs of a maxout neuron", "one number for each input", ("09",), (16,)),
    Symbol("K", "the number of pieces of a maxout neuron", "an integer", ("09",), (16,)),
    Symbol(r"\mathbf{w}_i", "the weights of a maxout piece; T transposes them for the inner product with h", "one number for each input", ("09",), (16,)),
    Symbol("D", "the number of kernels of a KAF", "an integer", ("09",), (17,)),
    Symbol(r"\alpha", "the mixing coefficients of a KAF", "D numbers for each neuron", ("09",), (17, 20)),
    Symbol("k", "the kernel: a bump around a place of the dictionary", "from 0 to 1", ("09",), (17, 18)),
    Symbol("d", "the dictionary's places d_1 to d_D", "D numbers at equal distances", ("09",), (17, 18)),
    Symbol(r"\gamma", "how narrow a bump is", "a number above 0", ("09",), (18, 19)),
    Symbol(r"\Delta", "the distance between neighbouring places of the dictionary", "a number above 0", ("09",), (19,)),
    Symbol(r"\mathbf{K}", "the kernels of all pairs of places", "D × D", ("09",), (20,)),
    Symbol(r"\mathbf{I}", "the identity matrix", "D × D", ("09",), (20,)),
    Symbol(r"\varepsilon", "keeps the coefficients small", "10⁻⁶", ("09",), (20,)),
    Symbol(r"\mathbf{t}", "a function's values at the places of the dictionary", "D numbers", ("09",), (20,)),
)  # fmt: skip


class Matches(list[Term]):
    """Words that match a query, as a notebook or a terminal shows them."""

    def __repr__(self) -> str:
        lines = [f"{term.name}: {term.meaning} (notebook {term.notebook})" for term in self]
        return "\n".join(lines) or "No such word; try a part of it."

    def _repr_markdown_(self) -> str:
        lines = [f"- **{term.name}**: {term.meaning} (notebook {term.notebook})" for term in self]
        return "\n".join(lines) or repr(self)


def find(part: str) -> Matches:
    """The words that contain `part`, or whose meanings do.

    >>> find("l1 pen")
    l1 penalty: the sum of the magnitudes of the weights; makes weights exactly zero (notebook 04)
    elastic net: a mixture of the l1 penalty and l2 (notebook 04)
    LASSO: a linear model trained with an l1 penalty (notebook 04)
    """
    return Matches(sorted(_matches(part.lower()), key=lambda term: part.lower() not in term.name.lower()))


def _matches(part: str) -> Iterator[Term]:
    return (term for term in TERMS if part in term.name.lower() or part in term.meaning.lower())
