"""What a detector finds of several recordings, with a verdict each, as a table, frame or figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from dgmix.detect.forms import Terms, numbers, row
from dgmix.detect.judgement import Judgement
from dgmix.detect.summary import counted, percent
from dgmix.tables import html_table, pandas_frame, polars_frame

if TYPE_CHECKING:
    import pandas
    import polars
    from matplotlib.figure import Figure

SHOWN = 20


class Results(Sequence[Judgement]):
    """The judgements of several recordings, in order, and the verdicts that follow from them.

    `rate` and `promise` are what verdicts are made under, as `Detector.predict` takes them.
    """

    def __init__(self, judgements: Sequence[Judgement], terms: Terms) -> None:
        self.judgements = tuple(judgements)
        self.terms = terms

    def __len__(self) -> int:
        return len(self.judgements)

    @overload
    def __getitem__(self, index: int) -> Judgement: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Judgement | Results:
        if isinstance(index, slice):
            return Results(self.judgements[index], self.terms)
        return self.judgements[index]

    @property
    def verdicts(self) -> list[str]:
        """The verdict (recording,) of each, in the words of `dgmix score`."""
        return [each.verdict(self.terms.rate, self.terms.promise) for each in self.judgements]

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary a recording, with the columns of `dgmix score --csv` and `error`.

        Of a recording that cannot be read only path, verdict and error are not None.
        """
        return [row(each, self.terms) for each in self.judgements]

    def to_polars(self) -> polars.DataFrame:
        """Return `rows` as a polars data frame."""
        return polars_frame(self.rows())

    def to_pandas(self) -> pandas.DataFrame:
        """Return `rows` as a pandas data frame."""
        return pandas_frame(self.rows())

    def plot(self) -> Figure:
        """Return a matplotlib figure of the scores, a point each, in the colour of its verdict.

        Raises `InputError` where matplotlib, the extra `plot`, is not installed.
        """
        from dgmix.detect.plots import plot_scores

        return plot_scores(self.judgements, self.verdicts, self.terms.promise, self._summary())

    def __repr__(self) -> str:
        width = max((len(each.name) for each in self.judgements[:SHOWN]), default=0)
        lines = [
            f"{each.name:<{width}}  {numbers(each, self.terms.promise)}  {verdict}"
            for each, verdict in zip(self.judgements[:SHOWN], self.verdicts, strict=False)
        ]
        more = len(self) - SHOWN
        return "\n".join([self._summary(), *lines, *([f"{more} more"] if more > 0 else [])])

    def _repr_html_(self) -> str:
        columns = ("path", "score", "p_value", "verdict", "section", "condition", "view", "error")
        rows = [[each[name] for name in columns] for each in self.rows()]
        return html_table(columns, rows, self._summary())

    def _summary(self) -> str:
        counts = [f"{count} {verdict}" for verdict, count in Counter(self.verdicts).items()]
        rate = f"at a false-alarm rate of {percent(self.terms.rate)}"
        return f"{counted(len(self), 'recording')}: {', '.join([*counts, rate])}"
