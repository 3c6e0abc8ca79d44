"""Numbers that others have published, as printed; none of them was measured here."""

__all__ = ["DEEP_COMPRESSION"]

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
