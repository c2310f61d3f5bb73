from __future__ import annotations

import pytest

from trainers.metrics.measurement import MetricError
from trainers.metrics.reading import independence_p


@pytest.mark.parametrize(
    ("table", "wanted"),
    [  # the reproducible cells of Table 3 of arXiv 2407.10888
        pytest.param([[44, 22], [33, 38]], 0.027, id="survey 2"),
        pytest.param([[32, 22], [24, 30]], 0.178, id="survey 3"),
        pytest.param([[31, 25], [29, 26]], 0.930, id="survey 4"),
        pytest.param([[77, 60], [56, 52]], 0.582, id="surveys 2 and 3"),
        pytest.param([[56, 52], [60, 51]], 0.848, id="surveys 3 and 4"),
    ],
)
def test_published_values(table: list[list[int]], wanted: float) -> None:
    found = independence_p(table, "survey")
    assert found.value == pytest.approx(wanted, abs=5e-4)
    assert found.n == sum(map(sum, table))


@pytest.mark.parametrize("table", [[[1, 2, 3], [4, 5, 6]], [[0, 0], [3, 4]], [[-1, 2], [3, 4]]])
def test_other_tables_are_refused(table: list[list[int]]) -> None:
    with pytest.raises(MetricError, match="2 x 2"):
        independence_p(table, "survey")
