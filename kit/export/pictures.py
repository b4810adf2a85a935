"""Charts as PNG pictures, for places that draw no charts: drawn by the page's own library, in a local Chromium."""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from kit.export.browser import chromium, dumped

WIDTH, SCALE = 1000, 1.5
_SCRIPT = """
(async function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  for (let i = 0; i < figures.length; i++) {
    const figure = figures[i], height = figure.layout.height || 320;
    figure.layout.width = WIDTH; figure.layout.paper_bgcolor = "#ffffff";
    const picture = document.createElement("img");
    try {
      picture.src = await Plotly.toImage(figure, {format: "png", width: WIDTH, height: height, scale: SCALE});
    } catch (error) { picture.alt = "not drawn"; }
    picture.id = "picture-" + i;
    document.body.appendChild(picture);
  }
})();
""".replace("WIDTH", str(WIDTH)).replace("SCALE", str(SCALE))
_PICTURE = re.compile(r'<img [^>]*?src="data:image/png;base64,([A-Za-z0-9+/=]+)"[^>]*?id="picture-(\d+)"')


def draw_pictures(figures: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
    """Each figure as the bytes of a PNG; None for all of them where there is no Chromium, for one that is not drawn."""
    if not figures or chromium() is None:
        return [None] * len(figures)
    from plotly.offline import get_plotlyjs

    drawn = [{"data": f.get("data", []), "layout": f.get("layout", {})} for f in figures]
    data = orjson.dumps(drawn).decode().replace("<", "\\u003c")
    library = get_plotlyjs().replace("</script", "<\\/script")
    page = (
        '<!doctype html><meta charset="utf-8"><body>'
        f'<script type="application/json" id="figures">{data}</script><script>{library}</script>'
        f"<script>{_SCRIPT}</script></body>"
    )
    with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
        path = Path(private) / "charts.html"
        path.write_text(page, encoding="utf-8")
        found = {int(m[2]): base64.b64decode(m[1]) for m in _PICTURE.finditer(dumped(path))}
    return [found.get(i) for i in range(len(figures))]
