"""All panels of a page within its bytes: the largest are thinned first, until the page fits.

A panel loses settings first. One that is too large with the fewest shows its trainings in fewer pictures.
"""

from collections.abc import Sequence

from course_utils.publish.pages.pack import Packed, Survey, cut_up, pack
from course_utils.publish.pages.record import Recording

__all__ = ["fit"]

SHORTEST = 4  # pictures of a training, at least


def fit(recordings: Sequence[Recording], *, limit: int) -> list[tuple[Recording, Packed]]:
    """Pack recordings into at most `limit` bytes together; the largest lose settings.

    Sizes are estimated from a few pictures of each panel, and what is packed is counted; where the estimate was too
    low, everything is packed again with less.
    """
    surveys = [survey_of(recording) for recording in recordings]
    packed: list[Packed] = []
    allowed = float(limit)
    while not packed or sum(map(len, packed)) > limit:
        before = [_stills(recording) for recording in recordings]
        cap = size_cap([survey.bytes for survey in surveys], allowed)
        recordings = [_thinned(r, survey, cap) for r, survey in zip(recordings, surveys, strict=True)]
        if packed and before == [_stills(recording) for recording in recordings]:
            break  # there is nothing left to leave out
        surveys = [survey_of(recording) for recording in recordings]
        packed = [pack(survey) for survey in surveys]
        allowed *= 0.95 * min(1.0, limit / sum(map(len, packed)))
    return list(zip(recordings, packed, strict=True))


def _stills(recording: Recording) -> int:
    return sum(map(len, recording.films.values()))


def used(recording: Recording) -> list[int]:
    """The numbers of the pictures that a recording shows."""
    return sorted({still.picture for film in recording.films.values() for still in film})


def survey_of(recording: Recording) -> Survey:
    """The pictures of a recording, cut up."""
    return cut_up(recording.pictures, used(recording), scale=recording.scale)


def _thinned(recording: Recording, survey: Survey, cap: float) -> Recording:
    """A recording with as many settings, and then with films as long, as fit into `cap` bytes, by their mean."""
    budget = recording.costs.of(recording.grid)
    while survey.bytes > cap and budget > 1:
        budget = min(budget - 1, int(budget * cap / survey.bytes))
        thinner = recording.thinned(budget)
        if len(thinner.films) < len(recording.films):
            recording, survey = thinner, survey_of(thinner)
    length = max(map(len, recording.films.values()))
    while survey.bytes > cap and length > SHORTEST:
        length = max(SHORTEST, min(length - 1, int(length * cap / survey.bytes)))
        recording = recording.shortened(length)
        survey = survey_of(recording)
    return recording


def size_cap(sizes: Sequence[float], limit: float) -> float:
    """The size to which the largest must shrink so that all together fit; those that are smaller stay.

    >>> size_cap([10, 50, 60], 100)
    45.0
    >>> size_cap([1, 2], 10)
    inf
    """
    if sum(sizes) <= limit:
        return float("inf")
    left, many = float(limit), len(sizes)
    for size in sorted(sizes):
        if size * many > left:
            break
        left, many = left - size, many - 1
    return left / many
