"""Multi-stage compression: Deep Compression."""

from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step
from course_utils.publish.kit.reading import number_in, says

REMOVED, ROUNDS = "Share of the weights removed", "Rounds of retraining"
LEVELS, CODER = "Values per layer", "Coder"

LESSON = Lesson(
    number="07",
    titles={
        "storage.pruning": "Pruned by magnitude",
        "storage.gaps": "Positions as gaps",
        "storage.codebook": "Weights that share values",
        "storage.huffman_tree": "A Huffman code",
        "storage.stack": "From a network to a file",
        "storage.figure6": "Accuracy against bytes on the disk",
    },
    misconceptions=(
        Misconception(
            claim="Small weights do nothing, so they can be removed without loss.",
            truth="Individually they do little, together they do much. It is the retraining that makes pruning harmless: the remaining weights take over.",
            panel="storage.pruning",
            steps=(
                Step(
                    {REMOVED: "80%", ROUNDS: "0"},
                    "an accuracy of about 72 %, before pruning 96 %.",
                    lambda p: number_in(p, "0; accuracy #%") < 85,
                ),
                Step(
                    {ROUNDS: "1"},
                    "an accuracy of about 95 % with the same fraction of zeros, after one round of retraining.",
                    lambda p: number_in(p, "1; accuracy #%") > 93,
                ),
            ),
        ),
        Misconception(
            claim="It does not matter whether a network is pruned at once or in several rounds.",
            truth="Where much is removed, rounds help: weights that matter can grow before the next ones are removed.",
            panel="storage.pruning",
            steps=(
                Step(
                    {REMOVED: "95%", ROUNDS: "1"},
                    "an accuracy of about 46 %, pruned at once.",
                    lambda p: number_in(p, "1; accuracy #%") < 58,
                ),
                Step(
                    {ROUNDS: "3"},
                    "an accuracy of about 69 %, pruned in three rounds.",
                    lambda p: number_in(p, "3; accuracy #%") > 60,
                ),
            ),
        ),
        Misconception(
            claim="Zeros cost nothing: ten times fewer weights are ten times fewer bytes.",
            truth="The positions of the others must be stored. With its position a weight of 4 bits takes at least 9.6 bits when 8 % are kept, and positions are the largest part of the finished file of section 5.",
            panel="storage.gaps",
            steps=(
                Step(
                    {"Bits b of a gap": "5"},
                    "9.6 bits for each weight with its value, of which the value has 4.",
                    lambda p: 9 < number_in(p, "a weight takes # bits") < 10.2,
                ),
                Step(
                    {"Bits b of a gap": "2"},
                    "21 bits: with too few bits per gap there are many filler zeros, each of which costs as much as a weight.",
                    lambda p: number_in(p, "a weight takes # bits") > 18,
                ),
            ),
        ),
        Misconception(
            claim="k-means finds the best codebook wherever it starts.",
            truth="It finds a local minimum, which no single step improves. The start decides which one; in one dimension the global minimum can be computed exactly.",
            panel="storage.codebook",
            steps=(
                Step(
                    {"Start": "density: equal counts", "Steps of k-means": "40"},
                    "a squared error well above the minimum, after 40 steps.",
                    lambda p: number_in(p, "# times the minimum") > 1.08,
                ),
                Step(
                    {"Start": "linear: equal distances"},
                    "1.00 times the minimum.",
                    lambda p: number_in(p, "# times the minimum") < 1.02,
                ),
            ),
        ),
        Misconception(
            claim="Huffman coding always makes the file smaller.",
            truth="It needs frequent symbols, and its table takes space. With 64 values in so small a network the table costs more than the shorter codewords save.",
            panel="storage.stack",
            steps=(
                Step(
                    {LEVELS: "64"},
                    "the file with Huffman coding: some 3,440 bytes, 96 of them for the table.",
                    lambda p: number_in(p, "table #") > 50 and number_in(p, "A file of # bytes") > 3200,
                ),
                Step(
                    {CODER: "none: fixed length"},
                    "a file without a table, and smaller by some 60 bytes.",
                    lambda p: not says(p, "table"),
                    lambda now, before: now.size < before.size,
                ),
            ),
        ),
    ),
    questions=(
        Question(
            ask="Weights at the positions 1, 4 and 15. Which gaps are stored with 2 bits, and which with 4?",
            answer="With 2 bits, gaps up to 4: 1, 3, 4 (filler), 4 (filler), 3. With 4 bits: 1, 3, 11 and no filler.",
            panel="storage.gaps",
            steps=(
                Step(
                    {"Bits b of a gap": "2"},
                    "1, 3, 4 (filler), 4 (filler), 3.",
                    lambda p: says(p, "1, 3, 4 (filler), 4 (filler), 3"),
                ),
                Step({"Bits b of a gap": "4"}, "1, 3, 11.", lambda p: says(p, "1, 3, 11.")),
            ),
        ),
        Question(
            ask="The fewer weights are left, should a gap have more bits, or fewer?",
            answer="More: the gaps get longer. 3 bits are best at 30 % of the weights, 5 at 8 %, 7 at 2 %.",
            panel="storage.gaps",
            steps=(
                Step(
                    {"Share of weights kept": "30%"},
                    "gaps of 3 bits are best.",
                    lambda p: says(p, "gaps of 3 bits are best"),
                ),
                Step(
                    {"Share of weights kept": "8%"},
                    "gaps of 5 bits are best.",
                    lambda p: says(p, "gaps of 5 bits are best"),
                ),
                Step(
                    {"Share of weights kept": "2%"},
                    "gaps of 7 bits are best.",
                    lambda p: says(p, "gaps of 7 bits are best"),
                ),
            ),
        ),
        Question(
            ask="Eight symbols, all equally frequent: what does Huffman coding gain over 3 bits per symbol?",
            answer="Nothing: all codewords have 3 bits, and the entropy is 3 bits. It gains only from frequent symbols, and never gets below the entropy.",
            panel="storage.huffman_tree",
            steps=(
                Step(
                    {"Skew of the frequencies": "0"},
                    "3.000 bits on average, the entropy 3.000.",
                    lambda p: says(p, "3.000 bits each on average", "the entropy is 3.000 bits"),
                ),
                Step(
                    {"Skew of the frequencies": "1"},
                    "1.577 bits on average, the entropy 1.495.",
                    lambda p: says(p, "1.577 bits each on average", "the entropy is 1.495 bits"),
                ),
            ),
        ),
        Question(
            ask="Low rank with rank 40: is the file smaller than the dense network's?",
            answer="No, larger: two matrices of rank 40 hold more numbers than the one that they replace. At rank 10 it is a third.",
            panel="storage.figure6",
            steps=(
                Step(
                    {"Method": "low rank (SVD)", "Strength of the compression": "1"},
                    "0.9 times smaller, that is, larger.",
                    lambda p: number_in(p, "bytes, # times smaller") < 1,
                ),
                Step(
                    {"Strength of the compression": "4"},
                    "about 3 times smaller, at the same accuracy.",
                    lambda p: 2.5 < number_in(p, "bytes, # times smaller") < 4,
                ),
            ),
        ),
    ),
    skip=(
        Skip(7, "a gap coder and the lengths of a code to write; exercise 07 asks for the coder too"),
        Skip(6, "figure 6 repeats what the file of section 5 has shown, for several strengths at once"),
        Skip(4, "students of information theory know Huffman codes"),
    ),
)
