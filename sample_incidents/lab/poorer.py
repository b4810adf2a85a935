"""A recorded folder with a pillar of its evidence left out: `python -m sample_incidents.lab.poorer FOLDER traces`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tomllib
from pathlib import Path

import tomli_w

from sample_incidents.lab.cut import manifest
from sample_incidents.lab.scenario import read

LEFT_OUT = {"traces": ("traces",), "metrics": ("prometheus",), "changes": ("changes", "repo")}
SCENARIOS = Path(__file__).parents[1] / "scenarios"


def poorer(folder: Path, pillar: str, given: dict) -> Path:
    """Copies the folder without the pillar; `given` is what the truth says differently then."""
    target = folder.with_name(f"{folder.name}_without_{pillar}")
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(folder, target)
    sources = _read(target / "sources.toml")
    for name in LEFT_OUT[pillar]:
        for path in target.glob(sources["sources"].pop(name)["path"]):
            path.unlink()
    _write(target / "sources.toml", sources)
    _write(target / "incident.toml", _read(target / "incident.toml") | {"id": target.name})
    if pillar == "metrics":
        _write(target / "signals.toml", {"requests": _read(target / "signals.toml")["requests"]})
    truth = _read(target / "truth.toml")
    for key, value in given.items():
        if key in ("failure", "suspects", "cut", "scope"):
            truth["episodes"][0][key] = value
        else:
            truth[key] = value
    _write(target / "truth.toml", truth)
    manifest(target)
    return target


def _read(path: Path) -> dict:
    return tomllib.loads(path.read_text())


def _write(path: Path, values: dict) -> None:
    path.write_text(tomli_w.dumps(values))


def main() -> int:
    """Makes one poorer folder beside the whole one."""
    parser = argparse.ArgumentParser(description="Copies a recorded folder with a pillar of its evidence left out.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("pillar", choices=sorted(LEFT_OUT))
    chosen = parser.parse_args()
    scenario = read(SCENARIOS / f"{chosen.folder.name}.toml")
    print(poorer(chosen.folder.resolve(), chosen.pillar, scenario.poorer.get(chosen.pillar, {})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
