"""Which names say that their value is secret, or is about a person? Keys, columns, headers, parameters alike.

A name is cut into words at punctuation and at capitals, so that `dbPassword`, `DB_PASSWORD` and `db.password` are the
same, while `compass`, `max_tokens` and `password_policy` are something else.
"""

from __future__ import annotations

import re
from functools import lru_cache

SECRET, PERSONAL, IDENTIFIER = "secret", "personal", "identifier"
TENANT = "tenant"
"""A column of tenants, plans and customers under one name: those that are numbers or ids are about a person."""

_NUMBERED = re.compile(r"(?=(?:[^\d]*\d){6})[\w.:-]+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS_TEXT = (
    "password passwd passwords pwd passphrase passcode passkey secret secrets token apikey credential credentials "  # noqa: S105 - names, no password
    "authorization cookie cookies jwt bearer sid sessionid csrf xsrf csrftoken otp totp pin cvv cvc cvv2 "
    "signature sig authtoken accesskey privatekey secretkey accesstoken refreshtoken idtoken jsessionid phpsessid "
    "connectionstring dsn sas auth psk masterkey sshkey"
)
_SECRET_WORDS = frozenset(_SECRET_WORDS_TEXT.split())
_SECRET_PAIRS_TEXT = (
    "api key|access key|private key|secret key|account key|signing key|encryption key|master key|shared key|"  # noqa: S105 - names, no password
    "session id|session key|auth key|license key|ssh key|host key|service key|storage key|webhook url|"
    "connection string|security code|pass word|pass phrase|pass code|key material|deploy key|instrumentation key|"
    "recovery code|backup code"
)
_SECRET_PAIRS = frozenset(tuple(pair.split()) for pair in _SECRET_PAIRS_TEXT.split("|"))
_AFTER_SECRET_TEXT = (
    "value values b64 base64 hash enc encrypted plain text raw old new id key string header data s prod dev "  # noqa: S105 - names, no password
    "staging test live primary secondary current previous 1 2 3"
)
_AFTER_SECRET = frozenset(_AFTER_SECRET_TEXT.split())
_PERSONAL_WORDS_TEXT = (
    "email emails mail phone phones mobile telephone tel fax ssn iban creditcard cardnumber ccnumber pan msisdn "
    "imei imsi username firstname lastname fullname surname forename nickname user users customer dob birthdate "
    "birthday birthplace passport street postcode zipcode latitude longitude enduser patient employee person "
    "taxid vatid userid customerid memberid accountid login uname remoteuser clientip remoteaddr ipaddress "
    "macaddress"
)
_PERSONAL_WORDS = frozenset(_PERSONAL_WORDS_TEXT.split())
_PERSONAL_PAIRS_TEXT = (
    "first name|last name|full name|user name|display name|given name|family name|middle name|real name|"
    "login name|account name|account holder|card holder|holder name|customer name|contact name|user id|"
    "customer id|account id|member id|patient id|employee id|person id|subscriber id|owner id|visitor id|"
    "buyer id|enduser id|contact id|recipient id|device id|user hash|card number|credit card|account number|"
    "phone number|mobile number|e mail|street address|postal address|billing address|shipping address|"
    "home address|mail address|email address|ip address|client ip|remote addr|remote ip|source ip|client address|"
    "source address|peer ip|remote user|forwarded for|real ip|date birth|birth date|of birth|tax id|vat id|"
    "zip code|post code|mac address|user email|customer email|geo location|national id|insurance number|"
    "license plate"
)
_PERSONAL_PAIRS = frozenset(tuple(pair.split()) for pair in _PERSONAL_PAIRS_TEXT.split("|"))
_NOT_A_PERSON = frozenset({("db", "user"), ("user", "agent"), ("os", "user"), ("process", "user")})
_IDENTIFIERS_TEXT = (
    "trace span parent request req correlation event commit sha sha1 sha256 sha512 md5 digest etag checksum uuid "
    "guid traceid spanid requestid traceparent revision build hash fingerprint evidence ref message transaction "
    "operation invocation execution job pod container image"
)
_IDENTIFIERS = frozenset(_IDENTIFIERS_TEXT.split())

STEMS = (
    "pass|pwd|secret|token|key|credential|authori|cookie|jwt|bearer|sid|session|csrf|xsrf|otp|pin|cv[vc]|sig|dsn|sas|psk|"
    "auth|code|webhook|string|mail|phone|mobile|tel|fax|ssn|iban|card|pan|msisdn|imei|imsi|name|user|customer|dob|birth|"
    "street|zip|latitude|longitude|patient|employee|person|tax|vat|member|account|login|holder|ip|addr|forwarded|geo|"
    "national|insurance|plate|contact|owner|visitor|buyer|recipient|device|guest|subscriber|basic|digest|negotiate|ntlm|"
    "aws4|%[0-9a-f]{2}|%3d"
)
"""No name is told by its words unless one of these stands in it (an expression for RE2, case ignored)."""


def words_of(name: str) -> tuple[str, ...]:
    """Which words is a name made of?

    >>> words_of("dbPassword"), words_of("X-Forwarded-For"), words_of("AWS_SECRET_KEY")
    (('db', 'password'), ('x', 'forwarded', 'for'), ('aws', 'secret', 'key'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


@lru_cache(maxsize=20_000)
def told_by_name(name: str) -> str | None:
    """Is the value of this name `secret`, `personal`, an `identifier` of a request or a build — or None of these?

    >>> [told_by_name(n) for n in ("clientSecret", "max_tokens", "user.email", "user_agent", "trace_id", "route")]
    ['secret', None, 'personal', None, 'identifier', None]
    """
    words = words_of(name)
    if not words:
        return None
    if _ends_in(words, _SECRET_WORDS, _SECRET_PAIRS, _AFTER_SECRET):
        return SECRET
    if words[-2:] not in _NOT_A_PERSON and _ends_in(words, _PERSONAL_WORDS, _PERSONAL_PAIRS, frozenset()):
        return PERSONAL
    if words[-1] in _IDENTIFIERS or (len(words) > 1 and words[-1] in ("id", "ids") and words[-2] in _IDENTIFIERS):
        return IDENTIFIER
    return None


def gives_away(told: str | None, value: str) -> bool:
    """Is this value about a person or secret, given what its name tells? Of tenants numbers and ids are, plans are not.

    >>> gives_away(TENANT, "60485099"), gives_away(TENANT, "business"), gives_away(PERSONAL, "business")
    (True, False, True)
    """
    return told is not None and (told != TENANT or _NUMBERED.fullmatch(value) is not None)


def _ends_in(
    words: tuple[str, ...], single: frozenset[str], pairs: frozenset[tuple[str, ...]], after: frozenset[str]
) -> bool:
    end = len(words)
    while end:
        if words[end - 1] in single or words[max(end - 2, 0) : end] in pairs:
            return not (words[0] in ("max", "min", "num", "total", "count", "n") and single is _SECRET_WORDS)
        if words[end - 1] not in after:
            return False
        end -= 1
    return False
