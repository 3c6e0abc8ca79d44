"""What makes ten notebooks one course: syllabus, map, glossary, progress, the settings of JupyterLab."""
