"""From arrays to bytes and back; knows no networks. FORMAT.md has the file byte by byte.

    symbols -> bytes                    huffman, ans
    positions of nonzeros -> bytes      gaps (the lecture's, section 07)  positions
    sparse arrays -> bytes              joint, by the context model of mixing
    an array -> a section               arrays (positions and coded indices)  codebooks
    named arrays -> one file            container: save, load, read_header  metadata
    what they stand on                  reader (bytes of a file that nobody has checked)  budget (memory)
                                        symbols (counts of symbols)

>>> from course_utils.coding.huffman import HuffmanCode
"""
