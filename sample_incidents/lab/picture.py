"""What did the users see? One small SVG per folder: `python -m sample_incidents.lab.picture FOLDER… --out DIR`."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tomllib
from datetime import datetime
from html import escape
from pathlib import Path

STEP_S, WIDTH, HEIGHT, LEFT = 10, 720, 64, 74


def bins(folder: Path) -> list[tuple[int, float, float]]:
    """Requests, share that failed and p99 in seconds, for every ten seconds of the client's (or the edge's) log."""
    look = tomllib.loads((folder / "incident.toml").read_text())["look"]
    begin, count = look["start"].timestamp(), int((look["end"] - look["start"]).total_seconds() // STEP_S)
    kept: list[list[tuple[bool, float]]] = [[] for _ in range(count)]
    for at, status, took in _requests(folder):
        place = int((at - begin) // STEP_S)
        if 0 <= place < count:
            kept[place].append((status == 0 or status >= 400, took))
    return [(len(k), sum(f for f, _ in k) / max(1, len(k)), _p99([t for _, t in k])) for k in kept]


def _requests(folder: Path):
    client, edge = folder / "raw" / "client.jsonl.gz", folder / "raw" / "edge" / "access.log.gz"
    with gzip.open(client if client.exists() else edge, "rt") as file:
        for row in map(json.loads, file):
            if "msec" in row:
                yield row["msec"], row["status"], row["request_time"]
            else:
                yield (
                    datetime.fromisoformat(row["time"]).timestamp(),
                    row["http.response.status_code"],
                    row["duration_s"],
                )


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * len(values))] if values else 0.0


def draw(folder: Path) -> str:
    """The three curves above each other, with the time of the injection as a dashed line."""
    rows = bins(folder)
    look = tomllib.loads((folder / "incident.toml").read_text())["look"]
    episodes = tomllib.loads((folder / "truth.toml").read_text())["episodes"]
    lanes = (
        ("requests/s", [n / STEP_S for n, _, _ in rows], "#64748b", "{:.0f}"),
        ("failed", [f for _, f, _ in rows], "#b91c1c", "{:.0%}"),
        ("p99", [p for _, _, p in rows], "#1d4ed8", "{:.1f} s"),
    )
    parts = []
    for place, (name, values, colour, form) in enumerate(lanes):
        top, high = 8 + place * (HEIGHT + 8), max([*values, 0.01])
        line = " ".join(
            f"{LEFT + i * (WIDTH - LEFT) / len(values):.1f},{top + HEIGHT - v / high * (HEIGHT - 6):.1f}"
            for i, v in enumerate(values)
        )
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="0" y="{top + HEIGHT / 2}">{name}</text>')
        parts.append(f'<text x="0" y="{top + HEIGHT / 2 + 14}" fill="#64748b">≤ {form.format(high)}</text>')
    for episode in episodes:
        share = (episode["onset"]["earliest"] - look["start"]) / (look["end"] - look["start"])
        x = LEFT + share * (WIDTH - LEFT)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{3 * (HEIGHT + 8)}" stroke="#111" stroke-dasharray="3 3"/>'
        )
    size = f'width="{WIDTH}" height="{3 * (HEIGHT + 8) + 8}" viewBox="0 0 {WIDTH} {3 * (HEIGHT + 8) + 8}"'
    style = 'font-family="sans-serif" font-size="11" fill="#111"'
    title = f"<title>{escape(folder.name)}: requests, share that failed and p99</title>"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{title}<rect width="100%" height="100%" fill="#fff"/>'
    )
    return head + "".join(parts) + "</svg>\n"


def main() -> int:
    """Draws the folders that are named."""
    parser = argparse.ArgumentParser(description="Draws what the users saw, one SVG per recorded folder.")
    parser.add_argument("folder", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for folder in chosen.folder:
        (chosen.out / f"{folder.name}.svg").write_text(draw(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
