"""Settings for those who use nbgrader's own commands; `course handout` takes the same steps."""

from nbconvert.preprocessors import TagRemovePreprocessor
from nbgrader.converters import GenerateAssignment

from course_utils.exercises.notebook.release import TEACHER_TAG

c = get_config()  # noqa: F821  (nbgrader defines it)
c.CourseDirectory.course_id = "compressing_neural_networks"
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = {TEACHER_TAG}
# Lecturers' own cells go first, so that they enter neither what students get nor the gradebook.
c.GenerateAssignment.preprocessors = [
    TagRemovePreprocessor,
    *GenerateAssignment.class_traits()["preprocessors"].default(),
]
