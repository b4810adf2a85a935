"""Put a recorded incident's logs into Elasticsearch or OpenSearch, as a log shipper would have.

    python -m tests.servers.load_incident pool_starved_by_slow_query http://127.0.0.1:9200

Each log source of the sample becomes one index, `shop-SOURCE`, with field names of the Elastic Common Schema and
OpenTelemetry. The credential, where the server asks for one, is the user's own for that origin.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from connectors.catalog import read_catalog
from connectors.credentials import Credential, credential_for, origin_of
from connectors.http import Http
from connectors.window import Window

SAMPLES = Path(__file__).parents[2] / "sample_incidents"
NAMES: Mapping[str, str] = {
    "time": "@timestamp",
    "level": "log.level",
    "service": "service.name",
    "host": "host.name",
    "trace_id": "trace.id",
    "span_id": "span.id",
    "region": "cloud.region",
    "zone": "cloud.availability_zone",
    "version": "service.version",
    "instance": "service.node.name",
    "route": "http.route",
    "client": "client.name",
}
"""The document's name of a column, where it is another."""
WHOLE = Window.of("1970-01-01T00:00Z", "2200-01-01T00:00Z")
AT_ONCE = 5_000


def load_incident(
    sample: Path, url: str, *, prefix: str = "shop", credential: Credential | None = None, authority: str | None = None
) -> dict[str, str]:
    """Fills an index per log source of this sample, each made anew; gives the index of each source."""
    http = Http(url, credential=credential, authority=authority)
    catalog = read_catalog(sample)
    made = {}
    try:
        for source in catalog.of_table("logs"):
            table = catalog.open(source).rows(WHOLE).answer().table
            table = table.drop_columns([n for n in table.column_names if table[n].null_count == table.num_rows])
            made[source] = f"{prefix}-{source}"
            fill(http, made[source], table)
    finally:
        http.close()
    return made


def fill(http: Http, index: str, table: pa.Table) -> None:
    """Makes the index anew, in one shard so that equal times keep their order, and puts the rows into it."""
    if http.ask("GET", f"/_cat/indices/{index}*", query={"format": "json", "h": "index"}):
        http.ask("DELETE", f"/{index}", query={"ignore_unavailable": "true"})
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    http.ask("PUT", f"/{index}", body={"settings": settings, "mappings": {"properties": properties(table.schema)}})
    for batch in table.to_batches(max_chunksize=AT_ONCE):
        answer = http.ask("POST", f"/{index}/_bulk", body=b"".join(actions(batch)))
        if answer["errors"]:
            raise SystemExit(f"{index}: {str(answer['items'][0])[:300]}")
    http.ask("POST", f"/{index}/_refresh")


def properties(schema: pa.Schema) -> dict[str, Any]:
    """The mapping of a LOGS table: text by keyword, the message by its words and as a whole."""
    found: dict[str, Any] = {}
    for field in schema:
        if field.name in ("seq", "id", "weight"):
            continue
        found[NAMES.get(field.name, field.name)] = _mapping(field)
    return found


def actions(batch: pa.RecordBatch) -> Iterator[bytes]:
    """The rows as the lines of a bulk request; a missing value is left out."""
    for row in batch.to_pylist():
        key = row.pop("id")
        document = {
            NAMES.get(name, name): value
            for name, value in row.items()
            if value is not None and name not in ("seq", "weight")
        }
        yield orjson.dumps({"index": {"_id": key} if key else {}}) + b"\n"
        yield orjson.dumps(document) + b"\n"


def _mapping(field: pa.Field) -> dict[str, Any]:
    type_ = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if field.name == "message":
        return {"type": "text", "fields": {"raw": {"type": "keyword"}}}
    if pa.types.is_timestamp(type_):
        return {"type": "date_nanos"}
    if pa.types.is_boolean(type_):
        return {"type": "boolean"}
    if pa.types.is_integer(type_):
        return {"type": "long"}
    return {"type": "double"} if pa.types.is_floating(type_) else {"type": "keyword"}


def main() -> None:
    """Loads the sample that the command line names."""
    asked = argparse.ArgumentParser(description="Put a recorded incident's logs into Elasticsearch or OpenSearch.")
    asked.add_argument("slug", help="a folder of sample_incidents")
    asked.add_argument("url", help="such as http://127.0.0.1:9200")
    asked.add_argument("--prefix", default="shop", help="the indices are PREFIX-SOURCE (shop)")
    asked.add_argument("--authority", help="file of the certificate to trust")
    given = asked.parse_args()
    made = load_incident(
        SAMPLES / given.slug, given.url, prefix=given.prefix,
        credential=credential_for(origin_of(given.url)), authority=given.authority,
    )  # fmt: skip
    for source, index in made.items():
        print(f"{source}: {index}")
    print(f"Next: incident-kit new NAME --from {given.url.rstrip('/')}/{given.prefix}-*")


if __name__ == "__main__":
    main()
