"""What `dgmix choose` prints."""

from __future__ import annotations

from pathlib import Path

from dgmix.detect.planting.choosing import Choice, Tried
from dgmix.detect.sensitivity import sensitivity_report


def choice_report(choice: Choice, path: Path | None = None) -> str:
    """Return which recipe was chosen, how all candidates did, and what the chosen one finds.

    `path` is where the recipe was written, if it was.
    """
    default, chosen = choice.tried[0].candidate.name, choice.chosen
    if chosen is choice.tried[0]:
        verdict = (
            f"'{default}' is kept: no candidate is better by more than chance, "
            "and as good for every kind of fault"
        )
    else:
        verdict = f"'{chosen.candidate.name}' is better than '{default}'"
    lines = [
        f"{path}: {verdict}" if path else verdict,
        "",
        f"how well {choice.faults} planted faults are separated from {choice.recordings} healthy "
        "recordings (50: by chance, 100: all),",
        "the gain, its standard error, and the kind of fault that gains least",
        *_table(choice),
    ]
    if choice.sensitivity:
        lines += ["", *sensitivity_report(choice.sensitivity)]
    if path:
        lines += ["", f"next: dgmix fit FOLDER --recipe {path} -o machine.dgmix"]
    return "\n".join(lines)


def _table(choice: Choice) -> list[str]:
    ordered = sorted(choice.tried[1:], key=lambda each: -each.value)
    width = max(len(each.candidate.name) for each in choice.tried)
    return [_row(each, width, choice) for each in (choice.tried[0], *ordered)]


def _row(each: Tried, width: int, choice: Choice) -> str:
    row = f"{each.candidate.name:<{width}}  {each.value:5.1f}"
    if each is not choice.tried[0]:
        kind, gain = each.worst
        row += f"  {each.gain:+5.1f} ± {each.error:.1f}  {gain:+5.1f} for {kind}"
    return f"{row}  chosen" if each is choice.chosen else row
