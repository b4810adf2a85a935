"""Are users hurt: by failures, by slowness, and is what they see measured at all?"""

from __future__ import annotations

from typing import Any

from kit.golden_signals import SignalBoard
from kit.signs.sign import Sign, moved, readings_of_entry


def harm_signs(board: SignalBoard, symptom: Any, episode: Any, entry: str | None) -> list[Sign]:
    """Did errors or latency rise for users? By the symptom where it was looked for, else by the board."""
    if symptom is not None:
        return _harm_of_symptom(board, symptom, episode, entry)
    mine = readings_of_entry(board, entry)
    errors = [r for r in mine if r.kind == "errors" and "client_errors" not in r.signal]
    latency = [r for r in mine if r.kind == "latency"]
    tails = [r for r in latency if r.signal.endswith(("p99", "p95", "mean", "max"))] or latency
    seen = [r for r in mine if r.arrow != "unknown"]
    return [
        moved("errors_up", errors, "up", "errors rose", "errors did not rise", "errors are not measured"),
        moved("latency_up", tails, "up", "latency rose", "latency did not rise", "latency is not measured"),
        moved(
            "latency_down",
            [r for r in latency if r.signal.endswith("p50")] or latency,
            "down",
            "latency fell",
            "latency did not fall",
            "latency is not measured",
        ),
        Sign(
            "entry_seen",
            bool(seen),
            "what users see is measured: " + "; ".join(r.text for r in seen[:3])
            if seen
            else f"{entry or 'the entry'} has no data during the incident",
        ),
    ]


def _harm_of_symptom(board: SignalBoard, symptom: Any, episode: Any, entry: str | None) -> list[Sign]:
    verdict = getattr(symptom, "verdict", "incident")
    if verdict == "cannot_tell":
        unknown = [Sign(n, None, "too few requests to say") for n in ("errors_up", "latency_up", "latency_down")]
        return [*unknown, Sign("entry_seen", False, "; ".join(symptom.because))]
    readings = [r for r in episode.readings if r.ill] if episode is not None else []
    errors = [r for r in readings if r.signal == "errors_ratio"]
    slow = [r for r in readings if r.signal in ("slow_ratio", "latency_p99_s")]
    latency = [r for r in readings_of_entry(board, entry) if r.kind == "latency" and r.signal.endswith("p50")]
    tested = getattr(symptom, "headline", "the entry hop was tested")
    return [
        Sign("errors_up", bool(errors), _ratio_text("failed requests", errors) or "failed requests did not rise"),
        Sign("latency_up", bool(slow), _ratio_text("slow requests", slow) or "requests did not become slower"),
        moved("latency_down", latency, "down", "latency fell", "latency did not fall", "latency is not measured"),
        Sign("entry_seen", True, tested),
    ]


def _ratio_text(what: str, readings: list[Any]) -> str:
    if not readings:
        return ""
    whole = next((r for r in readings if r.route is None), readings[0])
    where = f" on {whole.route}" if whole.route else ""
    if whole.signal == "latency_p99_s":
        return f"p99{where} {whole.before:.3g} s → {whole.now:.3g} s"
    return f"{what}{where} {whole.before:.2%} → {whole.now:.1%}"
