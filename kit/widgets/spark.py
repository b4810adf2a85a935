"""Small lines as SVG markup: values over time with harm shaded and changes drawn, nothing but numbers in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kit.plots.decimate import kept_points

WIDTH, HEIGHT = 132, 30


def spark(
    values: np.ndarray,
    *,
    harm: tuple[float, float] | None = None,
    changes: Sequence[float] = (),
    bad: bool = False,
    label: str = "",
) -> str:
    """A line of `values` as SVG; `harm` and `changes` are places in it from 0 to 1. Gaps stay gaps.

    `label` must be escaped. Empty text where nothing is known.
    """
    known = ~np.isnan(values)
    if not known.any():
        return ""
    at = kept_points(values, points=2 * WIDTH)
    low, high = min(0.0, float(np.nanmin(values))), float(np.nanmax(values))
    span = (high - low) or 1.0
    parts, pen = [], "M"
    for position in at:
        value = values[position]
        if np.isnan(value):
            pen = "M"
            continue
        x = position / max(len(values) - 1, 1) * WIDTH
        parts.append(f"{pen}{x:.1f} {HEIGHT - 3 - (value - low) / span * (HEIGHT - 6):.1f}")
        pen = "L"
    shade = ""
    if harm is not None:
        left, right = harm[0] * WIDTH, harm[1] * WIDTH
        shade = f'<rect class="harm" x="{left:.1f}" width="{max(right - left, 0):.1f}" y="0" height="{HEIGHT}"/>'
    places = [f"{c * WIDTH:.1f}" for c in changes]
    marks = "".join(f'<line class="change" x1="{x}" x2="{x}" y1="0" y2="{HEIGHT}"/>' for x in places)
    return (
        f'<svg class="ik-spark" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{shade}{marks}'
        f'<path class="line{" bad" if bad else ""}" d="{"".join(parts)}"/></svg>'
    )
