"""Which route is this path? Segments that look like ids fold to `{id}`, so that /cart/17 and /cart/18 are one route."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_ID = re.compile(
    r"\d+"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}"
    r"|(?=[^/]*\d)[A-Za-z]{1,12}[-_.]?\d{2,}"
    r"|(?=(?:[^/\d]*\d+[^/\d]+){3})[A-Za-z0-9_~=-]{16,}"
)
_FEW = re.compile(r"v\d+|[A-Za-z]+\d\d?")


def fold(path: str) -> str:
    """Which route is this path? Query and fragment go; numbers, hex strings, UUIDs and long mixed tokens become {id}.

    It can mislead: a word-like id (a slug, a user name) stays and makes a route of its own.

    >>> fold("/cart/1734/items?page=2")
    '/cart/{id}/items'
    >>> fold("/api/v2/users/3f2b8c1e-0d4a-4f6b-9a51-7c2d1e0f9a33")
    '/api/v2/users/{id}'
    """
    path = path.split("?", 1)[0].split("#", 1)[0]
    if path.startswith(("http://", "https://")):
        path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
    parts = path.split("/")
    folded = [part if not part or _FEW.fullmatch(part) or not _ID.fullmatch(part) else "{id}" for part in parts]
    return "/".join(folded) or "/"


def fold_column(paths: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The route of each path, null where the path is; each distinct path is looked at once."""
    if isinstance(paths, pa.ChunkedArray):
        paths = paths.combine_chunks()
    coded = paths if pa.types.is_dictionary(paths.type) else paths.dictionary_encode()
    short = pc.replace_substring_regex(coded.dictionary, r"[?#].*$", "")
    for _ in range(2):  # plain numbers in one sweep: they are what makes paths distinct
        short = pc.replace_substring_regex(short, r"/\d+(/|$)", r"/{id}\1")
    fewer = short.dictionary_encode()
    routes = pa.array([fold(path) for path in fewer.dictionary.to_pylist()], pa.string()).dictionary_encode()
    indices = routes.indices.take(fewer.indices).take(coded.indices)
    return pa.DictionaryArray.from_arrays(indices, routes.dictionary)
