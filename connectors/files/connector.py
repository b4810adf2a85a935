"""Files as a kind of source: what `sources.toml` may say about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from connectors.files import open_files
from connectors.files.formats import reader
from connectors.files.options import FilesSpec, Options
from connectors.files.times import zone
from connectors.settings import Place
from connectors.settings import Settings as Base


class Settings(Base):
    """`path` is a file or glob below the case's folder; without `format` each file's content tells it."""

    path: str
    format: str | None = None
    tz: str | None = None
    year: int | None = Field(default=None, ge=1970, le=2200)
    fields: Mapping[str, str] = Field(default_factory=dict)
    sampling_rate: float | None = Field(default=None, gt=0, le=1)

    @field_validator("format")
    @classmethod
    def _a_format(cls, value: str | None) -> str | None:
        if value is not None:
            reader(value)
        return value

    @field_validator("tz")
    @classmethod
    def _a_zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone(value)
        return value


def open_source(name: str, settings: Settings, place: Place) -> Any:
    """The source that these files are; nothing is read yet."""
    options = Options(
        service=settings.service,
        tz=settings.tz,
        year=settings.year,
        fields=dict(settings.fields),
        sampling_rate=settings.sampling_rate,
    )
    spec = FilesSpec(
        place.folder, settings.path, settings.table.upper(), settings.format, options, rows=place.budget.rows
    )
    return open_files(name, spec)
