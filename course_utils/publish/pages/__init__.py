"""A notebook as a page that needs no kernel and no network.

    notebook --capture--> cells and panels --grid, record--> pictures --pack, fit--> bytes --store, page--> HTML

A page runs the same `panel.js` as the notebook; `static/replay.js` stands in for the kernel and answers it from the
pictures that were computed beforehand. `wording` has the sentences that a page adds to the notebook's.
"""
