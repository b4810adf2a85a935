"""Where planted secrets go, and how a reader would look for them: corners of a notebook, decoded files, disguises."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

import orjson
import pyarrow.parquet as pq

from kit.redaction.scan import html_pieces, json_pieces
from tests.kit.planted_secrets import Secret


def split(text: str, value: str) -> str:
    """The text with its value cut over two lines, as a log shipper wraps it."""
    half = len(value) // 2
    return text.replace(value, f"{value[:half]}\n    {value[half:]}")


def shown(data, **metadata):
    return {"output_type": "display_data", "metadata": metadata, "data": data}


def add_corners(path, first, second):
    """Every corner of a notebook: source, metadata, stream, html, traceback, chart hover, widget state, attachments."""
    notebook = orjson.loads(path.read_bytes())
    figure = {"data": [{"type": "scatter", "x": [1], "y": [1], "hovertext": [s.text for s in first[:8]]}], "layout": {}}
    widget = {
        "version_major": 2,
        "version_minor": 0,
        "state": {f"w{i}": {"state": {"value": s.text}} for i, s in enumerate(first[8:14])},
    }
    torn = "".join(f"<b>{split(s.text, s.value)}</b>" for s in first[14:])
    picture = b"\x89PNG" + second[6].text.encode()
    coloured = [f"\x1b[31m{s.text}\x1b[0m" for s in second[8:14]]
    comments = "\n".join(f"# {s.text}" for s in second[6:7] + second[20:])
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": [f"{s.text}\n" for s in second[:5]]},
        shown({"application/vnd.plotly.v1+json": figure}, note=second[5].text),
        shown({"application/vnd.jupyter.widget-state+json": widget}),
        shown({"text/html": torn, "image/png": base64.b64encode(picture).decode()}),
        {"output_type": "error", "ename": "ValueError", "evalue": second[7].text, "traceback": coloured},
    ]  # fmt: skip
    notebook["cells"] += [
        {"cell_type": "markdown", "id": "m", "metadata": {"by": second[14].text},
         "source": [s.text for s in second[15:20]], "attachments": {"a.txt": {"text/plain": second[20].text}}},
        {"cell_type": "code", "id": "c", "execution_count": 1, "metadata": {}, "source": comments, "outputs": outputs},
    ]  # fmt: skip
    path.write_bytes(orjson.dumps(notebook))


def everything(folder):
    """What a reader can get out of the files of a folder: names, decoded tables, pages, notebooks."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield path.name
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield from table.column_names
            yield from (str(v) for column in table.columns for v in column.to_pylist())
            yield str(table.schema.metadata)
        elif path.suffix == ".html":
            text = re.sub(r"<script>.*?</script>", "", path.read_text(), flags=re.S)
            yield text
            yield from (piece for _, piece in html_pieces(text))
        else:
            yield path.read_bytes().decode("utf-8", "replace")
            if path.suffix in (".ipynb", ".json"):
                yield from (piece for _, piece in json_pieces(path.read_bytes()))


def left_in(text: str, secrets: list[Secret]) -> list[Secret]:
    """Which of the secrets can be read in the text, in clear or in a usual disguise?"""
    joined = re.sub(r"(\\n|\s)+", "", text)
    decoded = "".join(
        base64.b64decode(m + "=" * (-len(m) % 4), validate=False).decode("latin-1")
        for m in re.findall(r"[A-Za-z0-9+/]{16,}", text)
        if len(m) % 4 != 1
    )
    return [
        s
        for s in secrets
        if s.value in text
        or quote(s.value, safe="") in text
        or re.sub(r"\s", "", s.value) in joined
        or s.value in decoded
    ]  # fmt: skip
