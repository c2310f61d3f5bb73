"""Chi-squared tests of blind readings: can readers tell real from synthetic?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2_contingency

from trainers.metrics.measurement import Measurement, MetricError


def independence_p(table: Sequence[Sequence[int]], what: str) -> Measurement:
    """P value that the rows of a 2 x 2 table of counts come from one distribution (Yates).

    For one survey, rows are the truth (real, synthetic) and columns what was said (real,
    synthetic), "cannot tell" left out: a small p says that readers can tell. For two surveys, rows
    are the surveys. As in arXiv 2407.10888, whose reproducible cells are this module's tests.

    Args:
        table: counts, 2 x 2.
        what: who read what, for the record.
    """
    counts = np.asarray(table)
    if counts.shape != (2, 2) or (counts < 0).any() or 0 in (*counts.sum(0), *counts.sum(1)):
        raise MetricError(
            f"A 2 x 2 table of counts with no empty row or column is wanted, got {table}."
        )
    p = float(chi2_contingency(counts).pvalue)
    test = {"test": "chi-squared, Yates's correction"}
    return Measurement("p", p, "1", None, what, int(counts.sum()), settings=test)
