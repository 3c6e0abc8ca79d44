"""Notebooks as pages and slides that need no kernel and no network.

    notebook --capture--> cells with outputs, panels --grid, film--> pictures --pack--> stores --page, slides--> HTML

A page runs the same `panel.js` as the notebook; `static/replay.js` stands in for the kernel and answers it from the
pictures that were computed beforehand.
"""
