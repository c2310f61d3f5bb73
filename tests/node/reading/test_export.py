from __future__ import annotations

import json
from datetime import UTC, datetime

from node.reading.answers import Answer
from node.reading.export import to_json
from tests.node.reading.conftest import Made


def test_answers_leave_without_the_truth_until_the_key_is_opened(made: Made) -> None:
    order = made.reading.study.order_of("R2")
    for judgement, seconds in (("cannot_tell", 2.5), ("real", 1), ("synthetic", 3)):
        fields = {"case": order[1], "judgement": judgement, "seconds": seconds}
        made.reading.give("R2", Answer.model_validate({**fields, "given": datetime.now(UTC)}))
    blind = to_json(made.reading, None)
    assert blind["opened"] is None
    assert set(map(json.dumps, blind["cases"].values())) == {"{}"}
    (row,) = blind["answers"]
    wanted = {
        **{"reader": "R2", "case": order[1], "position": 2, "judgement": "synthetic"},
        **{"first_judgement": "cannot_tell", "revisions": 3, "seconds": 6.5},
    }
    assert {name: row[name] for name in wanted} == wanted
    key = made.reading.open_with(made.key, unfinished=True)
    opened = to_json(made.reading, key)
    assert opened["opened"] == key.opened.isoformat()
    truths = [case["truth"] for case in opened["cases"].values()]
    assert sorted(truths) == ["real", "real", "synthetic", "synthetic"]
    assert json.loads(json.dumps(opened)) == opened
