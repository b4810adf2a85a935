"""Templates: which lines are of one kind, and which kinds are new, gone or changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from connectors.base import Answer, Fetch
from connectors.errors import BadInput
from connectors.window import Window
from kit.mining.mask import shape_keys, tokens
from kit.mining.stack import fold
from kit.templates import compare_source_templates, compare_templates, extract_variable, mine_templates

BASELINE = Window.of("2026-03-01T02:00Z", "2026-03-01T02:40Z")
INCIDENT = Window.of("2026-03-01T02:40Z", "2026-03-01T02:50Z")
START = pd.Timestamp("2026-03-01T02:00Z")


def templates(*lines: str) -> list[str]:
    mined = mine_templates(list(lines))
    return [mined.table["template"][i] for i in mined.ids]


def lines(message: str, *, times: list[float], **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"time": [START + pd.Timedelta(seconds=t) for t in times], "message": message, **columns})


def spread(window: str, n: int) -> list[float]:
    first, length = {"baseline": (0.0, 2400.0), "incident": (2400.0, 600.0)}[window]
    return [first + length * (i + 0.5) / n for i in range(n)]


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("at 2026-03-01T02:14:00.123Z done", "at <*> done"),
        ("from 10.0.0.7:4711", "from <*>:<*>"),
        ("read /var/log/app.log, 5.2 KB", "read <*>, <*>"),
        ("see https://shop.example/pay?id=7 now", "see https://<*> now"),
        ("id=3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id=<*>"),
        ("node-12 is up", "node-<*> is up"),
        ("on eth0 over IPv6", "on eth0 over IPv6"),
        ("sent 1190 bytes (1.16 KB) in 00:07", "sent <*> bytes in <*>"),
        ("cache  is\tcold.", "cache is cold."),
        ("ok=true user=null", "ok=<*> user=<*>"),
    ],
)
def test_values_are_masked_by_their_form_and_words_are_not(line: str, masked: str) -> None:
    assert "".join(tokens(line)) == masked


def test_shapes_of_lines_that_differ_in_numbers_are_equal_and_never_run_into_the_next_line() -> None:
    keys = shape_keys(pa.array(["a 12", "34", "", "5e b", "zz", "beef"])).to_pylist()
    assert keys == ["a 0", "0", "", "0 b", "zz", "beef"]


def test_shapes_of_a_slice_are_those_of_its_own_rows() -> None:
    whole = pa.array(["first 1", "second 22", "third 333"])
    assert shape_keys(whole.slice(1, 1)).to_pylist() == ["second 0"]


def test_equal_statements_share_a_template_whatever_their_order() -> None:
    texts = ["took 12 ms", "cache cold", "took 7 ms"]
    assert templates(*texts) == ["took <*> ms", "cache cold", "took <*> ms"]
    assert templates(*reversed(texts)) == ["took <*> ms", "cache cold", "took <*> ms"]


def test_two_words_in_the_same_place_stay_two_statements() -> None:
    assert len(set(templates("service started", "service stopped"))) == 2


def test_many_names_in_the_same_place_are_a_variable() -> None:
    names = ("ann", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
    assert set(templates(*[f"session of user {n} was opened" for n in names])) == {"session of user <*> was opened"}


def test_a_numbered_name_is_a_constant_until_it_varies() -> None:
    assert set(templates("link eth0 is up", "link eth0 is up")) == {"link eth0 is up"}
    assert set(templates("link eth0 is up", "link eth1 is up")) == {"link <*> is up"}


def test_lists_of_any_length_are_one_variable() -> None:
    assert set(templates("peers 1 2 3", "peers 4 5", "peers 6 7 8 9")) == {"peers <*>"}


def test_a_value_that_holds_delimiters_is_still_the_value() -> None:
    texts = ["synchronized to 10.0.0.1, stratum 3", "synchronized to LOCAL(0), stratum 10"]
    assert set(templates(*texts)) == {"synchronized to <*>, stratum <*>"}


def test_a_word_in_the_place_of_a_value_is_a_statement_of_its_own() -> None:
    assert len(set(templates("job 7 waits for lock 9", "job 8 waits for lock none"))) == 2


def test_verbs_at_the_start_are_statements() -> None:
    verbs = ("boot", "halt", "wait", "start", "stop", "drain")
    assert len(set(templates(*[f"{verb} (command 12)" for verb in verbs]))) == 6


def test_missing_messages_have_no_template_and_are_not_counted() -> None:
    mined = mine_templates(pd.Series(["a b", None, "a b"]))
    assert mined.ids.tolist() == [0, -1, 0]
    assert mined.table["count"].tolist() == [2]
    assert mine_templates([]).ids.tolist() == []
    assert mine_templates([None]).ids.tolist() == [-1]


@pytest.mark.parametrize("as_type", [list, pd.Series, pa.array, lambda v: pa.chunked_array([v[:1], v[1:]])])
def test_every_kind_of_text_column_is_read(as_type: type) -> None:
    assert mine_templates(as_type(["x 1", "x 2", "y"])).ids.tolist() == [0, 0, 1]
    assert mine_templates(pa.array(["x 1", "y", "x 2"]).dictionary_encode()).ids.tolist() == [0, 1, 0]


def test_text_that_is_not_ascii_is_read_as_it_is() -> None:
    assert templates("größe 3", "größe 4", "", "naïve") == ["größe <*>", "größe <*>", "", "naïve"]
    assert templates("odd \udc80 byte") == ["odd ? byte"]


def test_numbers_are_not_messages() -> None:
    with pytest.raises(BadInput, match="must be text"):
        mine_templates([1, 2])
    with pytest.raises(BadInput, match="must be text"):
        mine_templates(pa.array([1, 2]))


JAVA = (
    "pay {} failed\njava.net.SocketTimeoutException: read\n\tat java.net.Socket.read(S.java:{})\n\tat shop.{}.go(P:7)"
)


def test_a_stack_trace_is_its_first_line_and_own_frames() -> None:
    same = [JAVA.format(1, 99, "Pay"), JAVA.format(2, 98, "Pay")]
    assert len(set(templates(*same))) == 1
    assert templates(*same)[0] == "pay <*> failed ⏎ java.net.SocketTimeoutException at shop.Pay.go"
    assert len(set(templates(*same, JAVA.format(3, 99, "Refund")))) == 2


def test_a_python_traceback_is_read_from_the_innermost_own_frame() -> None:
    text = (
        'job 7 died\nTraceback (most recent call last):\n  File "/app/job.py", line 3, in run\n    pay()\n'
        '  File "/app/pay.py", line 9, in pay\n    get()\n'
        '  File "/usr/lib/python3/site-packages/httpx/c.py", line 1, in get\n    x\nhttpx.ReadTimeout: slow'
    )
    assert fold(text) == ("job 7 died", "httpx.ReadTimeout at /app/pay.py:pay < /app/job.py:run")


def test_lines_below_the_first_that_are_no_frames_do_not_make_new_templates() -> None:
    assert len(set(templates("query failed\nSELECT a", "query failed\nSELECT b FROM c"))) == 1


def test_a_hostile_line_is_only_text() -> None:
    assert templates("<script>alert(1)</script> \x00 <*>")[0] == "<script>alert(<*>)</script> <*>"
    assert len(mine_templates(["a" * 1_000_000, "b@" * 100_000]).table) == 2


def test_new_gone_changed_and_unchanged() -> None:
    logs = pd.concat(
        [
            lines("served", times=spread("baseline", 400) + spread("incident", 100)),
            lines("pool timeout after 5 ms", times=spread("incident", 40)),
            lines("warmed up", times=spread("baseline", 60)),
            lines("retry", times=spread("baseline", 40) + spread("incident", 100)),
        ]
    )
    found = compare_templates(logs, baseline=BASELINE, incident=INCIDENT).set_index("template")
    assert found["class"].to_dict() == {
        "pool timeout after <*> ms": "new",
        "retry": "changed",
        "warmed up": "gone",
        "served": "unchanged",
    }
    assert found.index[0] == "pool timeout after <*> ms"
    # 40 in 2,400 s, then 100 in 600 s
    assert found.loc["retry", "ratio"] == pytest.approx(10.0)
    assert found.loc["served", "p"] == pytest.approx(1.0)
    assert found.loc["pool timeout after <*> ms", "first_seen"] == START + pd.Timedelta(seconds=2407.5)
    assert found["bound"].isna().all()


def test_one_new_line_is_no_claim_unless_it_is_an_error() -> None:
    logs = pd.concat(
        [
            lines("served", times=spread("baseline", 400) + spread("incident", 100), level="INFO", id="f:1"),
            lines("odd", times=[2500.0], level="INFO", id="f:2"),
            lines("boom", times=[2500.0], level="ERROR", id="f:3"),
        ]
    )
    found = compare_templates(logs, baseline=BASELINE, incident=INCIDENT).set_index("template")
    assert found.loc["odd", "class"] == "unchanged"
    assert found.loc["boom", ["class", "level", "example"]].tolist() == ["new", "ERROR", "f:3"]


def test_absence_that_was_to_be_expected_is_not_gone() -> None:
    # 8 lines in 2,400 s are 2 in 600 s: none seen is no news
    logs = pd.concat(
        [
            lines("served", times=spread("baseline", 400) + spread("incident", 100)),
            lines("tick", times=spread("baseline", 8)),
        ]
    )
    found = compare_templates(logs, baseline=BASELINE, incident=INCIDENT).set_index("template")
    assert found.loc["tick", "class"] == "unchanged"


def test_in_a_sample_absence_is_a_bound_and_never_new() -> None:
    logs = pd.concat(
        [
            lines("served", times=spread("baseline", 400) + spread("incident", 100), weight=50.0),
            lines("pool timeout", times=spread("incident", 40), weight=50.0),
            lines("odd", times=spread("incident", 2), weight=50.0),
        ]
    )
    found = compare_templates(logs, baseline=BASELINE, incident=INCIDENT).set_index("template")
    assert found.loc["pool timeout", ["class", "bound", "incident"]].tolist() == ["changed", 150.0, 2000.0]
    assert found.loc["odd", ["class", "bound"]].tolist() == ["unchanged", 150.0]
    assert not {"new", "gone"} & set(found["class"])


def test_bursts_are_not_mistaken_for_a_change() -> None:
    bursts = [first + i / 10 for first in (60.0, 1500.0, 2500.0) for i in range(30)]
    steady = spread("baseline", 60) + spread("incident", 30)
    logs = pd.concat([lines("burst", times=bursts), lines("steady", times=steady)])
    found = compare_templates(logs, baseline=BASELINE, incident=INCIDENT).set_index("template")
    assert found["baseline"].tolist() == [60, 60]
    assert found["class"].to_dict() == {"steady": "changed", "burst": "unchanged"}


def test_an_empty_baseline_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="everything looks new"):
        found = compare_templates(lines("a", times=spread("incident", 5)), baseline=BASELINE, incident=INCIDENT)
    assert found["p"].isna().all()


def test_windows_that_overlap_and_times_without_a_zone_are_refused() -> None:
    logs = lines("a", times=[1.0])
    with pytest.raises(BadInput, match="overlap"):
        compare_templates(logs, baseline=BASELINE, incident=BASELINE)
    with pytest.raises(BadInput, match="not a time with a zone"):
        compare_templates(logs.assign(time=logs["time"].dt.tz_localize(None)), baseline=BASELINE, incident=INCIDENT)
    with pytest.raises(BadInput, match="no column message"):
        compare_templates(logs[["time"]], baseline=BASELINE, incident=INCIDENT)


class Sampled:
    """A log source that draws every tenth line of a window."""

    name = "sampled"

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = pa.Table.from_pandas(rows, preserve_index=False)

    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: object = None
    ) -> Answer:
        inside = [window.contains(t) for t in self.rows["time"].to_pylist()]
        table = self.rows.filter(pa.array(inside))
        table = table.take(pa.array(np.arange(0, table.num_rows, 10)))
        table = table.append_column("weight", pa.array(np.full(table.num_rows, 10.0)))
        return Answer(table, Fetch(self.name, "sample", "", window, table.num_rows, sampled="every tenth"))


def test_a_source_is_sampled_and_its_counts_have_intervals() -> None:
    logs = pd.concat(
        [
            lines("served", times=spread("baseline", 4000) + spread("incident", 1000)),
            lines("pool timeout", times=spread("incident", 1000)),
        ]
    )
    found = compare_source_templates(Sampled(logs), baseline=BASELINE, incident=INCIDENT).set_index("template")
    assert found.loc["pool timeout", "class"] == "changed"
    assert found.loc["pool timeout", "bound"] == 30.0
    assert found.loc["pool timeout", "incident"] == 1000.0
    # 100 of 200 drawn: 50 % ± 6.9 % of 2,000
    assert found.loc["pool timeout", ["incident_low", "incident_high"]].tolist() == pytest.approx([863, 1137], abs=5)


def test_a_variable_is_a_typed_column_with_the_index_of_its_lines() -> None:
    logs = pd.Series(["took 12 ms on db-1", "cold", "took  7.5 ms on db-22"], index=[5, 6, 7])
    took = extract_variable(logs, "took <*> ms on db-<*>", 0)
    assert took.dtype == float
    assert took.dropna().to_dict() == {5: 12.0, 7: 7.5}
    assert extract_variable(["user ann", "user bob"], "user <*>", 0).tolist() == ["ann", "bob"]


def test_a_variable_is_read_from_the_template_that_was_mined() -> None:
    texts = [JAVA.format(41, 9, "Pay"), "sent 1190 bytes (1.16 KB) in 9 ms"]
    mined = mine_templates(texts).table["template"]
    assert extract_variable(texts, mined[0], 0).tolist()[0] == 41.0
    assert extract_variable(texts, mined[1], 0).tolist()[1] == 1190.0


def test_a_variable_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="has 1 variables"):
        extract_variable(["a"], "took <*> ms", 1)
