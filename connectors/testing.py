"""What every log source promises, as tests: a connector's author inherits `ConnectorContract` and gets them all.

    class TestMine(ConnectorContract):
        def open_source(self, documents, folder):
            server = start_and_load(documents, folder)
            return MyLogs("mine", server.url)

Each question is asked of the source and of `Tables`, the reference, on the same documents. What the source calls exact
must be equal; what it calls approximate must lie within the error it states. Needs pytest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pytest

from connectors.asking import Stream
from connectors.base import MISSING, OTHER, Answer, LogSource, Selection
from connectors.copies import AnsweredFromCopy
from connectors.errors import BadInput, NotExpressible, UnknownField
from connectors.schema import check
from connectors.tables import Tables
from connectors.testing_documents import FILTERS, HOUR, NOTHING, contract_documents
from connectors.window import Window


class RowsOnly(AnsweredFromCopy):
    """The least a connector can be: `fields` and `rows` of its own, the rest answered from a copy."""

    def __init__(self, name: str, documents: pa.Table) -> None:
        super().__init__()
        self.name = name
        self._behind = Tables(name, table=documents)

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """See `LogSource.fields`."""
        return self._behind.fields(window, where=where)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> Stream:
        """See `LogSource.rows`."""
        return self._behind.rows(window, where=where, fields=fields, order=order, limit=limit)


class ConnectorContract:
    """Inherit it under a name that begins with Test, and say how the documents get into the source.

    `weights`: the source keeps a row's weight. `not_expressible`: filters of `FILTERS` that its language has no exact
    form for; it must then raise `NotExpressible`. `unlisted`: columns that its `fields` leaves out.
    """

    weights = True
    not_expressible: frozenset[str] = frozenset()
    unlisted: frozenset[str] = frozenset()

    def open_source(self, documents: pa.Table, folder: Path) -> LogSource:
        """A source that holds exactly these LOGS rows; `folder` is empty and yours. Give it the name "logs"."""
        raise NotImplementedError("A contract needs open_source(): a source that holds the given documents.")

    def document_of(self, own_id: str) -> str:
        """Which document has this id of the source's own? The same id, unless the source gives ids of its making."""
        return own_id

    @pytest.fixture(scope="class")
    @classmethod
    def documents(cls) -> pa.Table:
        """What the source was given."""
        return contract_documents()

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, documents: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Any:
        """The source under test."""
        return cls().open_source(documents, tmp_path_factory.mktemp("source"))

    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls, documents: pa.Table) -> Tables:
        """The same documents, asked through the reference."""
        return Tables("logs", table=documents)

    # -- count ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("where", FILTERS)
    def test_a_filter_keeps_the_same_rows(self, source: Any, reference: Tables, where: str) -> None:
        """Every part of the grammar, two-valued."""
        if where in self.not_expressible:
            with pytest.raises(NotExpressible):
                source.count(HOUR, where=where)
            return
        assert_same(source.count(HOUR, where=where), reference.count(HOUR, where=where), keys=())

    @pytest.mark.parametrize(
        ("every", "by", "top"),
        [
            (None, (), 50),
            ("5m", (), 50),
            ("90s", (), 50),
            (None, ("route",), 50),
            (None, ("route",), 2),
            ("10m", ("route",), 2),
            (None, ("http.response.status_code",), 50),
            (None, ("cache.hit",), 50),
            (None, ("route", "level"), 50),
        ],
    )
    def test_counts_are_equal(
        self, source: Any, reference: Tables, every: str | None, by: tuple[str, ...], top: int
    ) -> None:
        """Bins aligned to the epoch, the top of the whole window, `<other>` and `<missing>`."""
        answer = source.count(HOUR, every=every, by=by, top=top)
        assert_same(answer, reference.count(HOUR, every=every, by=by, top=top), keys=_keys(every, by))

    def test_the_window_is_half_open(self, source: Any, reference: Tables) -> None:
        """The row at the start counts, the row at the end does not."""
        instant = Window(HOUR.start, HOUR.start + timedelta(milliseconds=1))
        assert source.count(instant).table.to_pylist() == reference.count(instant).table.to_pylist() != [{"n": 0.0}]
        assert source.count(HOUR).table.to_pylist() == [{"n": 659.0}]

    def test_nothing_found_is_an_empty_table(self, source: Any, reference: Tables) -> None:
        """With the columns of a full one; a total is one row of 0."""
        for ask in (
            lambda s: s.count(NOTHING, every="5m", by=["route"]),
            lambda s: s.count(NOTHING),
            lambda s: s.measure(NOTHING, "duration_s", by=["route"]),
            lambda s: s.compare(["route"], bad=Selection(NOTHING), good=Selection(NOTHING)),
            lambda s: s.fields(NOTHING),
        ):
            answer, expected = ask(source), ask(reference)
            assert answer.table.schema.equals(expected.table.schema)
            assert answer.table.to_pylist() == expected.table.to_pylist()
        for answer in (source.rows(NOTHING).answer(), source.sample(NOTHING, 5)):
            check(answer.table, "LOGS")
            assert answer.table.num_rows == 0

    # -- measure ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("every", "by", "where"),
        [
            (None, (), None),
            ("10m", (), None),
            (None, ("route",), None),
            ("20m", ("service",), "level >= 'WARN'"),
        ],
    )
    def test_measures_agree(
        self, source: Any, reference: Tables, every: str | None, by: tuple[str, ...], where: str | None
    ) -> None:
        """Counts exactly, sums and means to rounding, percentiles within the error that the source states."""
        stats = ("n", "count", "sum", "mean", "min", "max", "p50", "p90", "p99")
        answer = source.measure(HOUR, "duration_s", stats=stats, every=every, by=by, where=where)
        expected = reference.measure(HOUR, "duration_s", stats=stats, every=every, by=by, where=where)
        assert_same(answer, expected, keys=_keys(every, by))

    def test_what_is_no_number_is_not_measured(self, source: Any) -> None:
        """Text has no mean."""
        with pytest.raises(BadInput):
            source.measure(HOUR, "route")

    # -- compare ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("top", [50, 2])
    def test_comparisons_are_equal(self, source: Any, reference: Tables, top: int) -> None:
        """Per value of the union of both tops, on both sides."""
        names = ["route", "host", "service", "level", "http.response.status_code", "cache.hit"]
        bad = Selection(HOUR, "http.response.status_code >= 500")
        good = Selection(HOUR, "NOT http.response.status_code >= 500")
        answer, expected = (s.compare(names, bad=bad, good=good, top=top) for s in (source, reference))
        totals = ("bad_total", "good_total")
        for column in totals:
            assert (
                answer.table.column(column).unique().to_pylist() == expected.table.column(column).unique().to_pylist()
            )
        if top == 50:  # with ties at the edge of a small top, a source may keep another of the equal values
            assert_same(answer, expected, keys=("field", "value"))
        sums = _side_sums(answer.table)
        assert sums == _side_sums(expected.table)
        assert list(sums) == names

    def test_sides_may_be_windows_of_their_own(self, source: Any, reference: Tables) -> None:
        """Before and after, say."""
        half = HOUR.start + timedelta(minutes=30)
        bad, good = Selection(Window(half, HOUR.end), "level >= 'WARN'"), Selection(Window(HOUR.start, half))
        answer, expected = (s.compare(["route", "cache.hit"], bad=bad, good=good) for s in (source, reference))
        assert_same(answer, expected, keys=("field", "value"))

    # -- fields -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("where", [None, "route = '/pay'"])
    def test_fields_agree(self, source: Any, reference: Tables, where: str | None) -> None:
        """Names, types, shares, and distinct values within the error stated."""
        found = {row["name"]: row for row in source.fields(HOUR, where=where).table.to_pylist()}
        for expected in reference.fields(HOUR, where=where).table.to_pylist():
            if expected["name"] in self.unlisted:
                continue
            row = found[expected["name"]]
            assert row["type"] == expected["type"], expected["name"]
            assert row["share_present"] == pytest.approx(expected["share_present"]), expected["name"]
            if row["distinct"] is None:  # a field kept for its words only
                continue
            tolerance = 4 * row["distinct_error"] * expected["distinct"]
            assert abs(row["distinct"] - expected["distinct"]) <= tolerance, expected["name"]
            if row["distinct"] <= 5 and expected["name"] != "message":
                assert _top(row) == _top(expected), expected["name"]

    # -- sample and rows --------------------------------------------------------------------------------------

    def test_a_sample_stands_for_all(self, source: Any, documents: pa.Table) -> None:
        """Rows of the window, each once, weights that add up to all, and how it was drawn; again the same."""
        answer = source.sample(HOUR, 60, seed=3)
        check(answer.table, "LOGS")
        ids = answer.table.column("id").to_pylist()
        assert len(set(ids)) == len(ids) == 60
        total = source.count(HOUR).table.column("n").to_pylist()[0]
        assert sum(answer.table.column("weight").to_pylist()) == pytest.approx(total)
        assert answer.fetch.sampled
        assert {self.document_of(own_id) for own_id in ids} <= set(documents.column("id").to_pylist())
        assert source.sample(HOUR, 60, seed=3).table.column("id").to_pylist() == ids
        assert all(HOUR.contains(time) for time in answer.table.column("time").to_pylist())

    def test_a_sample_larger_than_the_whole_is_the_whole(self, source: Any, reference: Tables) -> None:
        """Nothing is drawn then, and nothing is said to be."""
        answer = source.sample(HOUR, 5000, where="route = '/pay'")
        expected = reference.sample(HOUR, 5000, where="route = '/pay'")
        assert answer.fetch.sampled is None
        ids = [self.document_of(own_id) for own_id in answer.table.column("id").to_pylist()]
        assert sorted(ids) == sorted(expected.table.column("id").to_pylist())
        assert set(answer.table.column("weight").to_pylist()) == {1.0}

    def test_rows_come_whole_in_order_each_once(self, source: Any, reference: Tables) -> None:
        """Every value as it was given, in order of time and the source's own order."""
        table = source.rows(HOUR).answer().table
        check(table, "LOGS")
        assert_in_order(table)
        expected = {row["id"]: row for row in reference.rows(HOUR).answer().table.to_pylist()}
        ids = [self.document_of(own_id) for own_id in table.column("id").to_pylist()]
        assert Counter(ids) == Counter(expected.keys())
        for document, row in zip(ids, table.to_pylist(), strict=True):
            for name, value in expected[document].items():
                if name not in ("seq", "id"):
                    assert row[name] == value, (document, name)

    def test_rows_are_filtered_projected_and_streamed(self, source: Any, reference: Tables) -> None:
        """The fetch is complete once the stream is exhausted."""
        stream = source.rows(HOUR, where="level >= 'WARN'", fields=["id", "route"])
        own = [value for batch in stream for value in batch.column(batch.schema.get_field_index("id")).to_pylist()]
        ids = [self.document_of(own_id) for own_id in own]
        expected = reference.rows(HOUR, where="level >= 'WARN'").answer()
        assert sorted(ids) == sorted(expected.table.column("id").to_pylist())
        fetch = stream.fetch
        assert (fetch.rows, fetch.truncated, fetch.partial) == (len(ids), False, None)

    @pytest.mark.parametrize("order", ["time", "-time"])
    def test_a_limit_cuts_at_the_far_end_and_says_so(self, source: Any, reference: Tables, order: Any) -> None:
        """The first rows in the order asked."""
        answer, expected = (s.rows(HOUR, order=order, limit=37).answer() for s in (source, reference))
        assert answer.table.column("time").to_pylist() == expected.table.column("time").to_pylist()
        assert answer.fetch.truncated
        enough = source.rows(HOUR, order=order, limit=10_000).answer()
        assert not enough.fetch.truncated

    def test_a_stream_can_be_closed_early(self, source: Any) -> None:
        """Nothing more comes, and no error."""
        stream = source.rows(HOUR)
        next(iter(stream))
        stream.close()
        assert list(stream) == []

    # -- what every answer has --------------------------------------------------------------------------------

    def test_a_field_that_is_not_there_is_named(self, source: Any) -> None:
        """With its near-misses, whatever the question."""
        side = Selection(HOUR)
        for ask in (
            lambda: source.count(HOUR, by=["rout"]),
            lambda: source.count(HOUR, where="rout = '/pay'"),
            lambda: source.measure(HOUR, "durations_s"),
            lambda: source.compare(["rout"], bad=side, good=side),
            lambda: source.rows(HOUR, where="rout = '/pay'").answer(),
            lambda: source.sample(HOUR, 5, where="rout = '/pay'"),
        ):
            with pytest.raises(UnknownField, match=r"route|duration_s"):
                ask()

    def test_the_fetch_tells_how_it_was_got(self, source: Any) -> None:
        """Enough to ask again, and to know that nothing is missing."""
        answer = source.count(HOUR, every="5m")
        fetch = answer.fetch
        assert (fetch.source, fetch.question, fetch.window) == (source.name, "count", HOUR)
        assert fetch.query
        assert fetch.engine
        assert fetch.round_trips >= 1
        assert fetch.rows == answer.table.num_rows
        assert (fetch.partial, fetch.sampled, fetch.truncated) == (None, None, False)
        assert fetch.binned_by in ("start", "completion")

    def test_the_same_question_has_the_same_evidence(self, source: Any, reference: Tables) -> None:
        """Whatever way its filter is written; and another question another."""
        one = source.count(HOUR, by=["route"], where="level = 'ERROR' AND cache.hit = TRUE")
        same = source.count(HOUR, by=("route",), where="cache.hit = true and (level='error')")
        assert one.evidence == same.evidence != source.count(HOUR, by=["route"]).evidence
        expected = reference.count(HOUR, by=["route"], where="level = 'ERROR' AND cache.hit = TRUE")
        assert one.arguments == expected.arguments

    def test_weights_are_honoured(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """A row that stands for four counts as four, everywhere."""
        if not self.weights:
            pytest.skip("this source keeps no weights")
        documents = contract_documents(weighted=True)
        source = self.open_source(documents, tmp_path_factory.mktemp("weighted"))
        reference = Tables("logs", table=documents)
        bad, good = Selection(HOUR, "level >= 'WARN'"), Selection(HOUR, "NOT level >= 'WARN'")
        stats = ("n", "count", "mean", "max")
        for ask, keys in (
            (lambda s: s.count(HOUR, every="10m", by=["route"], top=2), ("time", "route")),
            (lambda s: s.measure(HOUR, "duration_s", stats=stats, by=["service"]), ("service",)),
            (lambda s: s.compare(["route", "cache.hit"], bad=bad, good=good), ("field", "value")),
        ):
            assert_same(ask(source), ask(reference), keys=keys)
        drawn = source.sample(HOUR, 100).table
        total = reference.count(HOUR).table.column("n").to_pylist()[0]
        assert sum(drawn.column("weight").to_pylist()) == pytest.approx(total, rel=0.5)
        assert len(set(drawn.column("weight").to_pylist())) == 2


def assert_same(answer: Answer, expected: Answer, *, keys: tuple[str, ...]) -> None:
    """Is this the reference's answer? Counts exactly, percentiles within the error stated; in any order of rows."""
    assert answer.table.column_names == expected.table.column_names
    assert answer.table.schema.equals(expected.table.schema)
    got = {tuple(row[key] for key in keys): row for row in answer.table.to_pylist()}
    want = {tuple(row[key] for key in keys): row for row in expected.table.to_pylist()}
    assert len(got) == answer.table.num_rows
    assert got.keys() == want.keys()
    for key, row in want.items():
        error = got[key].get("error", 0.0)
        for name, value in row.items():
            if name == "error" or name in keys:
                continue
            loose = error if name.startswith("p") and name[1:].isdigit() else 1e-9
            exact = name in ("n", "count") or value is None
            tolerance = 0.0 if exact else max(loose, 1e-9)
            assert got[key][name] == (value if exact else pytest.approx(value, rel=tolerance, abs=1e-12)), (key, name)


def assert_in_order(table: pa.Table) -> None:
    """Do the rows come by time, and by `seq` where times are equal?"""
    order = list(zip(table.column("time").to_pylist(), table.column("seq").to_pylist(), strict=True))
    assert order == sorted(order)


def _keys(every: str | None, by: tuple[str, ...]) -> tuple[str, ...]:
    return (("time",) if every is not None else ()) + tuple(by)


def _side_sums(table: pa.Table) -> dict[str, tuple[float, float]]:
    sums: dict[str, tuple[float, float]] = {}
    for row in table.to_pylist():
        bad, good = sums.get(row["field"], (0.0, 0.0))
        sums[row["field"]] = (bad + row["bad"], good + row["good"])
    return sums


def _top(row: dict[str, Any]) -> set[tuple[str, float]]:
    return {(value, n) for value, n in orjson.loads(row["top"]) if value not in (OTHER, MISSING)}
