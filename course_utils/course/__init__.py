"""What makes ten notebooks one course.

syllabus       the sections of the lecture, and what their notebooks say about themselves
glossary       words and symbols, as data; `find` looks one up
glossary_page  the tables of notebooks/glossary.ipynb
map            writes the course map, the README's tables and the navigation lines (`course map`)
progress       what a reader has run in their copy
tidy           makes notebooks fit to be committed (`course tidy`)
lab            how JupyterLab is started (`course lab`), with lab_settings/ for it
saved_views    keeps views of widgets that are gone out of saved notebooks (a server extension)
kernels        kernels that share their memory, for all notebooks in 2 GB (Binder)
binder_link    the address at which Binder runs a repository (`course binder-link`)
"""
