"""Numbers that others have published, as printed; none of them was measured here."""

__all__ = [
    "ACTIVATIONS",
    "BINARY",
    "DEEP_COMPRESSION",
    "DISTILLATION",
    "FEDERATED",
    "GROUP_SPARSE",
    "QUANTIZED",
    "WITHOUT_3S",
]

# Han, Mao, Dally 2015, arXiv:1510.00149, tables 2 and 3: layer, weights, kept, weight bits (P+Q), (P+Q+H), index bits
# (P+Q), (P+Q+H), rate (P+Q), (P+Q+H); then the errors before and after, and the compression.
DEEP_COMPRESSION = {
    "lenet_300_100": {
        "rows": [
            ("ip1", "235K", "8 %", "6", "4.4", "5", "3.7", "3.1 %", "2.32 %"),
            ("ip2", "30K", "9 %", "6", "4.4", "5", "4.3", "3.8 %", "3.04 %"),
            ("ip3", "1K", "26 %", "6", "4.3", "5", "3.2", "15.7 %", "12.70 %"),
            ("total", "266K", "8 %", "6", "5.1", "5", "3.7", "3.1 %", "2.49 %"),
        ],
        "errors": (1.64, 1.58),
        "ratio": 40,
    },
    "lenet5": {
        "rows": [
            ("conv1", "0.5K", "66 %", "8", "7.2", "5", "1.5", "78.5 %", "67.45 %"),
            ("conv2", "25K", "12 %", "8", "7.2", "5", "3.9", "6.0 %", "5.28 %"),
            ("ip1", "400K", "8 %", "5", "4.5", "5", "4.5", "2.7 %", "2.45 %"),
            ("ip2", "5K", "19 %", "5", "5.2", "5", "3.7", "6.9 %", "6.13 %"),
            ("total", "431K", "8 %", "5.3", "4.1", "5", "4.4", "3.05 %", "2.55 %"),
        ],
        "errors": (0.80, 0.74),
        "ratio": 39,
    },
}

# Scardapane's lecture, figure 13, after A. Chen 2017, pytorch-playground: accuracy (top-1, or top-1/top-5) in percent
# with float32, 12, 10, 8 and 6 bits.
QUANTIZED = {
    "MNIST": ("98.42", "98.43", "98.44", "98.44", "98.32"),
    "SVHN": ("96.03", "96.03", "96.04", "96.02", "95.46"),
    "CIFAR10": ("93.78", "93.79", "93.80", "93.58", "90.86"),
    "CIFAR100": ("74.27", "74.21", "74.19", "73.70", "66.32"),
    "STL10": ("77.59", "77.65", "77.70", "77.59", "73.40"),
    "AlexNet": ("55.70/78.42", "55.66/78.41", "55.54/78.39", "54.17/77.29", "18.19/36.25"),
    "VGG16": ("70.44/89.43", "70.45/89.43", "70.44/89.33", "69.99/89.17", "53.33/76.32"),
    "VGG19": ("71.36/89.94", "71.35/89.93", "71.34/89.88", "70.88/89.62", "56.00/78.62"),
    "ResNet18": ("68.63/88.31", "68.62/88.33", "68.49/88.25", "66.80/87.20", "19.14/36.49"),
    "ResNet34": ("72.50/90.86", "72.46/90.82", "72.45/90.85", "71.47/90.00", "32.25/55.71"),
    "ResNet50": ("74.98/92.17", "74.94/92.12", "74.91/92.09", "72.54/90.44", "2.43/5.36"),
    "InceptionV3": ("76.41/92.78", "76.43/92.71", "76.44/92.73", "73.67/91.34", "1.50/4.82"),
}

# Scardapane's lecture, section 04, after Scardapane, Comminiello, Hussain, Uncini 2017, arXiv:1607.00485: accuracy, and
# for each weight matrix the sparsity (as fractions, although printed under [%]) and the neurons on its input side.
GROUP_SPARSE = {
    "sensorless": {
        "L2": ("0.98", "0.17, 0.36, 0.36, 0.16", "48.0, 35.5, 24.8, 26.3"),
        "SG-L1": ("0.97", "0.64, 0.81, 0.76, 0.54", "47.4, 19.0, 14.8, 15.9"),
    },
    "mnist": {
        "L2": ("0.98", "0.60, 0.60, 0.34, 0.08", "676.4, 311, 249.9, 93.7"),
        "SG-L1": ("0.97", "0.96, about 1.0, 0.98, 0.48", "581.8, 44.7, 41.0, 60.6"),
    },
    "covertype": {
        "L2": ("0.84", "0.04, 0.10, 0.22, 0.14", "54.0, 49.0, 47.3, 18.7"),
        "SG-L1": ("0.83", "0.45, 0.82, 0.84, 0.49", "52.7, 30.0, 16.0, 11.3"),
    },
}

# Courbariaux, Bengio, David 2015, arXiv:1511.00363, table 2: test errors in percent on MNIST (permutation-invariant),
# CIFAR-10 and SVHN.
BINARY = {
    "no regularizer": ("1.30 ± 0.04", "10.64", "2.44"),
    "BinaryConnect (det.)": ("1.29 ± 0.08", "9.90", "2.30"),
    "BinaryConnect (stoch.)": ("1.18 ± 0.04", "8.27", "2.15"),
    "50 % dropout": ("1.01 ± 0.04", "", ""),
    "maxout networks": ("0.94", "11.68", "2.47"),
    "deep L2-SVM": ("0.87", "", ""),
    "network in network": ("", "10.41", "2.35"),
    "DropConnect": ("", "", "1.94"),
    "deeply-supervised nets": ("", "9.78", "1.92"),
}

# Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 3: errors on MNIST's 10,000 test images, and where 3s are left
# out those on its 1,010 images of a 3.
DISTILLATION = {"teacher": 67, "student, labels only": 146, "student, distilled": 74}
WITHOUT_3S = {"as taught": (206, 133), "bias corrected": (109, 14)}

# McMahan et al. 2016, arXiv:1602.05629, table 1: rounds of the 2NN on MNIST until 97 %, with C = 0.1 and B = 10; by the
# split of the rows ("even": IID, "sorted": the pathological non-IID one) and the local epochs.
FEDERATED = {("even", 1): 87, ("sorted", 1): 664}

# Scardapane's lecture, section 09, after Scardapane, Van Vaerenbergh, Totaro, Uncini 2017, arXiv:1707.04035: AUC on
# SUSY with its standard deviation, and trainable parameters (the lecture prints ReLU's on the row of ELU), by the
# activation and the number of hidden layers.
ACTIVATIONS = {
    ("ReLU", 5): ("0.8739 (0.001)", 367201),
    ("ELU", 5): ("0.8739 (0.001)", 367201),
    ("SELU", 5): ("0.8745 (0.002)", 367201),
    ("PReLU", 5): ("0.8748 (0.001)", 368701),
    ("Maxout", 1): ("0.8744 (0.001)", 17401),
    ("Maxout", 2): ("0.8744 (0.002)", 288301),
    ("APL", 1): ("0.8744 (0.002)", 7801),
    ("APL", 2): ("0.8757 (0.002)", 99901),
    ("KAF", 1): ("0.8756 (0.001)", 12001),
    ("KAF", 2): ("0.8758 (0.001)", 108301),
}
