"""Live panels: controls, a pure function of their values, and a function that draws its result.

`engine` holds the `Panel` itself; every other module is named after what its panels teach.
"""
