"""Read what people have: log files, metric dumps, traces and change lists, one format a module.

`open_files` makes a source of them that reads when it is first asked; `sniff` tells a file's format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.files.options import FilesSpec

__all__ = ["open_files"]


def open_files(name: str, spec: FilesSpec) -> Any:
    """The source that these files are: of logs, metrics, spans, changes or alerts, by `spec.table`.

    Nothing is read before the first question, so a missing file is an error of that question alone. Raises `BadInput`
    for a format that does not exist or does not give that table.
    """
    from connectors.errors import BadInput
    from connectors.files import sources
    from connectors.files.formats import reader

    if spec.format is not None and spec.table not in reader(spec.format).TABLES:
        gives = " or ".join(t.lower() for t in reader(spec.format).TABLES)
        raise BadInput(f"The format {spec.format} of {name} gives {gives}, not {spec.table.lower()}: mend its table.")
    kinds = {
        "LOGS": sources.FileLogs,
        "METRICS": sources.FileMetrics,
        "SPANS": sources.FileSpans,
        "CHANGES": sources.FileChanges,
        "ALERTS": sources.FileAlerts,
    }
    return kinds[spec.table](name, spec)
