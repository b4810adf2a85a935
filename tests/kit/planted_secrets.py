"""300 made-up secrets of 25 kinds: none is real, each has the form, and where the form has one, the check digit.

Twelve of each kind, drawn from one seed, so that the list is the same on every machine.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MIXED = _LETTERS + _LETTERS.upper() + "0123456789"
_HEX = "0123456789abcdef"
_FIRST = ("Adelheid", "Bartholomew", "Clotilde", "Dagobert", "Eulalia", "Fridolin", "Griselda", "Hieronymus", "Isidora",
          "Jeroboam", "Kunigunde", "Leopoldine")  # fmt: skip
_LAST = ("Quandt", "Ottersby", "Vandermeulen", "Zwick", "Abernathy", "Brightwater", "Oyelaran", "Tanizaki", "Ferreira",
         "Lindqvist", "Marchetti", "Novotny")  # fmt: skip
_PEM_HEAD, _PEM_TAIL = "-----BEGIN RSA PRIVATE " + "KEY-----", "-----END RSA PRIVATE " + "KEY-----"


@dataclass(frozen=True, slots=True)
class Secret:
    """One planted value: `value` must not be found anywhere; `text` is how a program would write it."""

    kind: str
    value: str
    text: str


def _draw(rng: random.Random, alphabet: str, length: int) -> str:
    while True:
        drawn = "".join(rng.choice(alphabet) for _ in range(length))
        if alphabet != _MIXED or (sum(c.isdigit() for c in drawn) >= 2 and sum(c.isupper() for c in drawn) >= 3):
            return drawn


def _b64(rng: random.Random, count: int) -> str:
    return base64.b64encode(rng.randbytes(count)).decode().rstrip("=")


def _card(rng: random.Random) -> str:
    body = rng.choice(("4", "51", "37", "6011"))
    length = 15 if body == "37" else 16
    body += "".join(str(rng.randrange(10)) for _ in range(length - 1 - len(body)))
    for last in "0123456789":
        digits = body + last
        doubled = (int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits)))
        if sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0:
            return digits
    raise AssertionError


def _iban(rng: random.Random) -> str:
    body = "".join(str(rng.randrange(10)) for _ in range(18))
    check = 98 - int(body + "131400") % 97
    return f"DE{check:02}{body}"


def _jwt(rng: random.Random) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(f'{{"sub":"{rng.randrange(10**6)}"}}'.encode()).decode().rstrip("=")
    return f"{head}.{body}.{_draw(rng, _MIXED, 43)}"


def _ipv6(rng: random.Random) -> str:
    return "2001:db8:" + ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(6))


def _basic(rng: random.Random, index: int) -> str:
    return base64.b64encode(f"svc{index}:{_draw(rng, _MIXED, 10)}".encode()).decode()


KINDS: dict[str, tuple[Callable[[random.Random, int], str], str]] = {
    "password": (lambda r, i: _draw(r, _MIXED, 11), "login failed, password={}"),
    "bearer token": (lambda r, i: _draw(r, _MIXED, 32), "Authorization: Bearer {}"),
    "basic authorization": (lambda r, i: _basic(r, i), "authorization: Basic {}"),
    "cookie": (lambda r, i: _draw(r, _HEX, 32), "Cookie: PHPSESSID={}"),
    "JWT": (lambda r, i: _jwt(r), "verified {} for checkout"),
    "AWS key id": (lambda r, i: "AKIA" + _draw(r, "ABCDEFGHJKLMNPQRSTUVWXYZ234567", 16), "signing with {}"),
    "AWS secret": (lambda r, i: _draw(r, _MIXED + "+", 40), "aws_secret_access_key = {}"),
    "Google API key": (lambda r, i: "AIza" + _draw(r, _MIXED, 35), "GET /maps?region=eu&key={}"),
    "GitHub token": (lambda r, i: "ghp_" + _draw(r, _MIXED, 36), "cloning with {}"),
    "GitLab token": (lambda r, i: "glpat-" + _draw(r, _MIXED, 20), "registry login {}"),
    "Slack token": (lambda r, i: f"xoxb-{r.randrange(10**11, 10**12)}-{_draw(r, _MIXED, 24)}", "alerting via {}"),
    "Stripe key": (lambda r, i: "sk_" + "live_" + _draw(r, _MIXED, 24), "charge with {} refused"),
    "PEM key": (lambda r, i: _b64(r, 180), _PEM_HEAD + "\n{}\n" + _PEM_TAIL),
    "URL password": (lambda r, i: _draw(r, _MIXED, 14), "connecting to postgresql://shop:{}@db:5432/orders"),
    "URL signature": (lambda r, i: _draw(r, _HEX, 40), "PUT https://files.example/a?expires=99&sig={}"),
    "e-mail": (lambda r, i: f"{_FIRST[i].lower()}.{_LAST[i].lower()}@mail{i}.example.org", "receipt sent to {} again"),
    "telephone": (lambda r, i: f"+49 30 {r.randrange(10**6, 10**7)}", "calling {} now"),
    "IPv4": (lambda r, i: ".".join(str(r.randrange(11, 250)) for _ in range(4)), "peer {} hung up"),
    "IPv6": (lambda r, i: _ipv6(r), "peer [{}]:443 hung up"),
    "card": (lambda r, i: _card(r), "declined {} (51)"),
    "IBAN": (lambda r, i: _iban(r), "refund to {} queued"),
    "high entropy": (lambda r, i: _draw(r, _MIXED, 40), "handshake {} done"),
    "person's name": (lambda r, i: f"{_FIRST[i]} {_LAST[i]}", "order of {} is late"),
    "customer number": (lambda r, i: f"{r.randrange(10**7, 10**8)}", "basket of {} is empty"),
    "own pattern": (lambda r, i: f"EMP-{r.randrange(10**5, 10**6)}", "approved by {} today"),
}  # fmt: skip


def planted() -> list[Secret]:
    """The 300 of them, by kind."""
    rng = random.Random(20261124)
    made = []
    for kind, (draw, text) in KINDS.items():
        for index in range(12):
            value = draw(rng, index)
            made.append(Secret(kind, value, text.format(value)))
    return made
