"""From arrays to bytes and back; knows no networks.

    symbols --huffman, ans--> bytes      places of the nonzeros --gaps, positions--> bytes
    sparse arrays --joint (bits of a context model, `mixing`)--> bytes      all of it --container--> one file

`reader` reads what strangers wrote without trusting it; FORMAT.md has the file byte by byte.
"""
