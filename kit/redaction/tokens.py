"""Tokens and keys that their own form gives away: cloud keys, tokens of forges and chats, JWT, PEM blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.redaction.hit import Hit

# What must stand in the text for the form to be looked for at all; the form.
_FORMS: dict[str, tuple[tuple[str, ...], str]] = {
    "AWS key id": (
        ("AKIA", "ASIA", "AROA", "AIDA", "AGPA", "ANPA", "ANVA", "ABIA", "ACCA"),
        r"A(?:KIA|SIA|ROA|IDA|GPA|NPA|NVA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    "Google API key": (("AIza",), r"AIza[\w-]{35}"),
    "Google OAuth token": (("ya29.",), r"ya29\.[\w-]{20,}"),
    "Google OAuth secret": (("GOCSPX-",), r"GOCSPX-[\w-]{20,}"),
    "GitHub token": (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{30,}"),
    "GitHub fine-grained token": (("github_pat_",), r"github_pat_[A-Za-z0-9_]{30,}"),
    "GitLab token": (("gl",), r"gl(?:pat|dt|ptt|ft|soat|cbt|rt|imt|agent|oas)-[\w-]{20,}"),
    "Slack token": (("xox", "xapp-"), r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}"),
    "Slack webhook": (("hooks.slack.com",), r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}"),
    "Discord webhook": (("/api/webhooks/",), r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}"),
    "Stripe key": (("_live_", "_test_"), r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}"),
    "Stripe webhook secret": (("whsec_",), r"whsec_[A-Za-z0-9+/=]{20,}"),
    "OpenAI or Anthropic key": (("sk-",), r"sk-(?=[A-Za-z_-]*\d)(?:proj-|svcacct-|admin-|ant-)?[A-Za-z0-9_-]{20,}"),
    "SendGrid key": (("SG.",), r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    "Twilio key": (("SK", "AC"), r"(?:SK|AC)[0-9a-f]{32}(?![A-Za-z0-9])"),
    "Mailgun key": (("key-",), r"key-[0-9a-f]{32}(?![A-Za-z0-9])"),
    "Mailchimp key": (("-us",), r"[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])"),
    "npm token": (("npm_",), r"npm_[A-Za-z0-9]{30,}"),
    "PyPI token": (("pypi-",), r"pypi-[\w-]{30,}"),
    "Vault token": (("hvs.", "hvb.", "hvr."), r"hv[sbr]\.[\w-]{20,}"),
    "old Vault token": (("s.",), r"s\.(?=[A-Za-z]*\d)[A-Za-z0-9]{24}(?![A-Za-z0-9])"),
    "Databricks token": (("dapi",), r"dapi[0-9a-f]{32}"),
    "DigitalOcean token": (("_v1_",), r"do[opr]_v1_[0-9a-f]{60,}"),
    "Hugging Face token": (("hf_",), r"hf_[A-Za-z0-9]{30,}"),
    "Shopify token": (("shp",), r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    "Square token": (("sq0", "EAAA"), r"sq0[a-z]{3}-[\w-]{22,}|EAAA[\w-]{60}"),
    "Grafana token": (("glc_", "glsa_"), r"gl(?:c|sa)_[\w+/=]{30,}"),
    "Atlassian token": (("ATATT3",), r"ATATT3[\w=-]{30,}"),
    "New Relic key": (("NRAK-", "NRJS-"), r"NRAK-[A-Z0-9]{27}|NRJS-[0-9a-f]{19}"),
    "Sentry token": (("sntry",), r"sntry[su]_[\w+/=.-]{30,}"),
    "Telegram token": ((":AA",), r"\d{8,10}:AA[\w-]{32,33}"),
    "age key": (("AGE-SECRET-KEY-",), r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    "Azure storage key": (("==",), r"[A-Za-z0-9+/]{86}=="),
    "JWT": (("eyJ",), r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3}"),
}
_COMPILED = [(name, signs, re.compile(rf"(?<![A-Za-z0-9])(?:{form})")) for name, (signs, form) in _FORMS.items()]
_PEM = re.compile(
    r"-----BEGIN (?P<what>[A-Z0-9 ]*(?:PRIVATE KEY(?: BLOCK)?|CERTIFICATE|SECRET)[A-Z0-9 ]*)-----[^\x1e]*?"
    r"(?:-----END (?P=what)-----|(?=\x1e)|\Z)"
)


def find_tokens(text: str) -> Iterator[Hit]:
    """Which tokens and keys of a known form stand in the text?

    >>> [h.found_by for h in find_tokens("the key AKIA" + "Q3EXAMPLE7ABCDEF and more")]
    ['AWS key id']
    """
    for name, signs, form in _COMPILED:
        if any(sign in text for sign in signs):
            for match in form.finditer(text):
                yield Hit(match.start(), match.end(), "token", name, match[0])
    if "-----BEGIN" in text:
        for match in _PEM.finditer(text):
            yield Hit(match.start(), match.end(), "key", "PEM block", "".join(match[0].split()))
