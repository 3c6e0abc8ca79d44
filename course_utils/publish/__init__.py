"""What leaves the course: pages and slides that need no kernel, and the lecturer's kit.

    export    many notebooks, each in a process of its own  `course export`
    site      one notebook as files, and the front page
    slides/   a notebook as slides for class
    pages/    a notebook as a page whose panels live without a kernel
    kit/      what a lecturer needs to teach from the course  `course kit`

An import leads down this list only, and `kit` stands alone: it reads the notebooks, and links to exported pages.
"""
