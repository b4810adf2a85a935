"""Lines coded by what they say are counted as lines that are read one by one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.folder.coded import coded, values_of
from connectors.folder.line_codes import ODD, LineCodes, Values
from connectors.folder.opening import open_folder
from connectors.tables import Tables
from connectors.window import Window

ROUTES = ("/orders", "/orders/{id}", "/pay")


def line(number: int, **more: object) -> dict[str, object]:
    """A line as a service writes it: its own time, ids and duration, and what it shares with others."""
    dice = random.Random(number)
    route = dice.choice(ROUTES)
    row: dict[str, object] = {
        "time": f"2026-03-01T02:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
        "level": dice.choice(["info", "info", "warn", "error"]),
        "message": f"{route} took {dice.randrange(9000)} ms" if number % 3 else f"{route} is slow",
        "trace_id": f"{dice.getrandbits(128):032x}",
        "http.response.status_code": dice.choice([200, 200, 404, 503]),
        "duration_s": round(dice.random(), 4),
        "zone": dice.choice(["a", "b"]),
    }
    return {**row, **more}


def strange(number: int) -> str:
    """Lines that are written otherwise: each is read by itself and has to be counted all the same."""
    at = f"2026-03-01T03:00:{number % 60:02}.500Z"
    return [
        json.dumps(line(number, message='says "pool is full" \\ twice')),
        json.dumps(line(number, context={"zone": "c", "level": "error"})),
        json.dumps(line(number)).replace(":", ": ").replace("02: ", "02:"),
        json.dumps({k: v for k, v in line(number).items() if k != "zone"}, separators=(",", ":")),
        json.dumps(dict(reversed(line(number).items())), separators=(",", ":")),
        json.dumps(line(number, duration_s=None), separators=(",", ":")),
        json.dumps(line(number, duration_s="slow"), separators=(",", ":")),
        json.dumps(line(number, tags=["x", "y"]), separators=(",", ":")),
        f'{{"message":"no level","time":"{at}","n":1}}',
        f'{{"time":"{at}","message":"","level":"info"}}',
        "{broken",
        "",
    ][number % 12]


def folder_of(tmp_path: Path, lines: list[str]) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir(exist_ok=True)
    (folder / "shop.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same lines coded, and read one by one."""
    lines = [json.dumps(line(n), separators=(",", ":")) for n in range(4000)]
    lines += [strange(n) for n in range(240)]
    random.Random(7).shuffle(lines)
    logs, _ = open_folder(folder_of(tmp_path_factory.mktemp("coded"), lines))
    made = coded(logs.texts, logs.window)
    table, _ = logs._read(logs.window)
    return logs, made, table


def counts(table: pa.Table, window: Window, **asked) -> dict[tuple, float]:
    found = Tables("t", table=table).count(window, **asked).table
    return {tuple(str(v) for k, v in row.items() if k != "n"): row["n"] for row in found.to_pylist()}


def test_what_is_hardly_ever_the_same_is_left_out_and_digits_of_a_message_are_one(both):
    logs, made, _ = both
    values, columns = values_of(logs.texts[0])
    assert values == Values(frozenset({"time", "trace_id", "duration_s"}), frozenset({"message"}))
    assert {"trace_id", "duration_s", "time"} <= columns
    assert made.digits_as_one
    assert made.table.num_rows < 500  # 3 routes x 2 messages x 3 levels x 3 codes x 2 zones, and the 240 strange ones


@pytest.mark.parametrize(
    "asked",
    [
        {"by": ("level",)},
        {"by": ("zone", "http.response.status_code")},
        {"by": ("service",), "where": "level >= 'WARN' AND zone = 'b'"},
        {"every": "5m", "by": ("level",), "where": "http.response.status_code >= 500"},
        {"every": "1m", "where": "has(message, 'slow')"},
        {"by": ("context.zone",)},
        {"by": ("level",), "where": "zone IS NULL"},
    ],
)
def test_lines_are_counted_as_if_they_were_read(both, asked):
    logs, made, table = both
    where, by = asked.get("where"), asked.get("by", ())
    assert made.answers(where, by)
    alike = made.alike(logs.window, where, every=asked.get("every"))
    mine = counts(alike, logs.window, **{k: v for k, v in asked.items() if k != "where"})
    assert mine == counts(table, logs.window, **asked)
    assert sum(mine.values()) > 0


def test_a_part_of_the_window_has_the_lines_of_its_times(both):
    _, made, table = both
    part = Window.of("2026-03-01T02:10:00Z", "2026-03-01T02:20:00Z")
    assert counts(made.alike(part), part, by=("level",)) == counts(table, part, by=("level",))


def test_what_the_rows_do_not_tell_is_not_answered(both):
    _, made, _ = both
    assert not made.answers("trace_id = 'x'")
    assert not made.answers("duration_s > 0.5")
    assert not made.answers("has(message, '17')")
    assert not made.answers("message = 'pool is full'")
    assert not made.answers(None, ("message",))


def test_bytes_that_differ_where_it_matters_have_other_codes():
    made = LineCodes(Values(frozenset({"id"}), frozenset({"m"})))
    lines = [
        b'{"id":"a1","level":"info","m":"took 5 ms"}',
        b'{"id":"zzz","level":"info","m":"took 5123 ms"}',
        b'{"id":"a1","level":"warn","m":"took 5 ms"}',
        b'{"id":"a1","level":"info","m":"took 5 m"}',
        b'{"id":"a1","level":"info","n":"took 5 ms"}',
        b'{"di":"a1","level":"info","m":"took 5 ms"}',
        b'{"id":["1"],"level":"info","m":"took 5 ms"}',
        b'{"id":"a\\\\","level":"info","m":"took 5 ms"}',
        b"",
    ]
    codes, starts, ends = made.of(b"\n".join(lines) + b"\n")
    assert codes.tolist() == [0, 0, 1, 2, 3, 4, ODD, ODD, ODD]
    assert (ends - starts).tolist() == [len(one) for one in lines]
