"""Secrets in texts: found by the formats that their makers have published, by telling names, and by entropy. Pure.

What is found is never repeated. Hashes, UUIDs, ids of Git, SQL, paths, import paths, and base64 of a text, a picture or
a certificate are none.

A word without a format is one where it has the randomness of a key: upper case, lower case and digits that alternate,
as they do in 62 % of all places of a random word and in less than a third of those of names and paths.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

_AHEAD = 20_000
"""Characters that a secret may have, a private key included, to be seen as a whole at the end of what is kept."""
_LONGEST_NAME = 60
SIGN = "•••"
"""Stands at both sides of what is said in the place of a secret."""


@dataclass(frozen=True)
class Secret:
    """What kind of secret stands in a text, and where: from `start` up to `end`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class _Format:
    """A published format. A text without the `hint` has none of it; the group `secret` is what is secret, else all.

    Where that group is empty it is none, and only passed over: so no part of a text is read more than a few times.
    """

    kind: str
    hint: str
    pattern: str


_TO_NEXT_RULE = r"(?:[^-]++|-(?!----))*+"
"""Of a text in the armour of PEM: up to the next five dashes."""
_IN_URL = r"://[^\s/:@'\"]*+:{port}(?:(?P<secret>[^\s@'\"]++)@|[^\s@'\"]++)"
_WEB = ("http", "https", "docker", "oci")
"""Of these URLs a user has no slash in a password: a port stands there, and a path."""
_QUOTED = r"'(?:(?!curl)[^'\n])*+'|\"(?:(?!curl)[^\"\n])*+\""
_OF_CURL = (
    rf"(?<=curl)(?>(?!curl)(?:\\\r?\n|{_QUOTED}|[^\n|;&]|&(?=\w))){{0,300}}?"
    r"(?<=\s)(?:-[#0-9aBfgGiIjJklLMnNOpqRsSvVZ]*[uU]|--(?:proxy-)?user[\s=])[^\S\n]*+"
)
"""Up to a name and a password, in the same command; of letters before u, those of flags that take no value."""
_FORMATS = (
    # PEM, RFC 7468; also within the JSON of a Google service account, where line ends are \n
    _Format(
        "private key",
        "PRIVATE KEY",
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
        rf"(?:{_TO_NEXT_RULE}-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)",
    ),
    # docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    _Format("AWS access key", "A", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    # cloud.google.com/docs/authentication/api-keys, developers.google.com/identity/protocols/oauth2
    _Format("Google API key", "AIza", r"AIza[\w-]{35,}"),
    _Format("Google OAuth token", "ya29.", r"ya29\.[\w-]{20,}"),
    _Format("Google client secret", "GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    # learn.microsoft.com/azure/storage/common: storage-account-keys-manage, storage-sas-overview
    _Format("Azure account key", "ccount", r"(?i:account_?key)\s*[=:]\s*['\"]?(?P<secret>[A-Za-z0-9+/]{40,}={0,2})"),
    _Format(
        "Azure access key", "hared", r"(?i:shared_?access_?key)\s*[=:]\s*['\"]?(?P<secret>[A-Za-z0-9+/]{40,}={0,2})"
    ),
    _Format("Azure access signature", "sig=", r"(?<![A-Za-z])sig=(?P<secret>[A-Za-z0-9%+/_-]{20,}(?:=|%3[dD])?)"),
    _Format("Azure client secret", "Q~", r"[\w~.-]{3}\dQ~[\w~.-]{31,34}"),
    # docs.github.com/authentication: about-authentication-to-github; docs.gitlab.com/security/tokens
    _Format("GitHub token", "gh", r"gh[pousr]_[A-Za-z0-9]{36,}"),
    _Format("GitHub token", "github_pat_", r"github_pat_\w{22,}"),
    _Format("GitLab token", "gl", r"gl(?:pat|dt|rt|ptt|ft|soat|cbt|agent|imt|ffct|oas)-[\w-]{20,}"),
    # docs.slack.dev/authentication/tokens, api.slack.com/messaging/webhooks
    _Format("Slack token", "xox", r"xox[abeoprs](?:\.xox[bp])?-[\w-]{10,}"),
    _Format("Slack token", "xapp-", r"xapp-\d-[\w-]{10,}"),
    _Format("Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[\w/]{20,})"),
    # docs.stripe.com/keys
    _Format("Stripe key", "k_", r"(?<![A-Za-z0-9])[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    _Format("Stripe key", "whsec_", r"whsec_[A-Za-z0-9+/=]{20,}"),
    # platform.openai.com/docs/api-reference/authentication, docs.anthropic.com/en/api, huggingface.co/docs/hub
    _Format("Anthropic key", "sk-ant-", r"sk-ant-[\w-]{20,}"),
    _Format("OpenAI key", "sk-", r"(?<![A-Za-z0-9])(?:(?P<secret>sk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{20,})|sk-[\w-]*)"),
    _Format("Hugging Face token", "hf_", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}"),
    # docs.npmjs.com/about-access-tokens, pypi.org/help/#apitoken (a macaroon that names the server)
    _Format("npm token", "npm_", r"npm_[A-Za-z0-9]{36,}"),
    _Format("PyPI token", "pypi-A", r"pypi-A[\w-]{50,}"),
    # docs.databricks.com/dev-tools/auth/pat
    _Format("Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d+)?"),
    # docs.sendgrid.com, docs.digitalocean.com, developer.hashicorp.com/vault, docs.docker.com, grafana.com/docs
    _Format("SendGrid key", "SG.", r"(?<![A-Za-z0-9])SG\.[\w-]{20,}\.[\w-]{40,}"),
    _Format("DigitalOcean token", "_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    _Format("Vault token", "hvs.", r"(?<![A-Za-z0-9])hvs\.[\w-]{24,}"),
    _Format("Docker token", "dckr_pat_", r"dckr_pat_[\w-]{20,}"),
    _Format("Grafana token", "glsa_", r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}"),
    # RFC 7519
    _Format("JSON web token", "eyJ", r"(?P<secret>eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\.[\w-]*)|eyJ[\w-]*"),
    # RFC 3986, section 3.2.1; whoever reads URLs of databases takes all before the @ for a password
    _Format(
        "password in a URL",
        "://",
        rf"(?<=[A-Za-z0-9+.-]){''.join(f'(?<!{name})' for name in _WEB)}{_IN_URL.format(port='')}",
    ),
    _Format(
        "password in a URL",
        "://",
        rf"(?:{'|'.join(f'(?<={name})' for name in _WEB)}){_IN_URL.format(port='(?![0-9]+/)')}",
    ),
    # RFC 6750, RFC 7617
    _Format(
        "authorization",
        "uthorization",
        r"(?i:authorization['\"]?\s*[=:]\s*['\"]?(?:bearer|basic))\s+(?P<secret>\S{8,})",
    ),
    # curl.se/docs/manpage.html, -u and -U
    *(
        _Format("password of a command", "curl", _OF_CURL + value)
        for value in (
            r"['\"]?[^\s:'\"]{1,64}:(?P<secret>[^\s'\"`]{3,})",
            *(rf"{quote}[^:{quote}\n]{{1,64}}:(?P<secret>(?=\S)[^{quote}\n]{{3,}}+){quote}" for quote in "'\""),
        )
    ),
)

_MAY_BE = re.compile(r"[:=@]|[A-Za-z0-9+/_-]{16}|-----B|\sis\s|Q~|eyJ")
"""What each secret has a part of; most texts have none, and are looked at no further."""
_LOOSE = r"pass(?:word|wd|phrase)|pwd|account_?key|shared_?access_?key"
"""Names of fields of connection strings (learn.microsoft.com/sql/connect, libpq): their values may be any."""
_STRONG = (
    r"secret[_-]?key|secret[_-]?access[_-]?key|client[_-]?secret|api[_-]?key|access[_-]?(?:key|token)|auth[_-]?token"
)
_WEAK = r"(?P<secretive>tokens?|secrets?|credentials?)|key|auth|signature"
_NAMED = re.compile(
    rf"(?:(?P<loose>{_LOOSE})|(?P<strong>{_STRONG})|{_WEAK})"
    rf"['\"]?(?P<sign>\s*(?:=>|:=|=|:)\s*|\s+is\s+)(?:'(?P<single>[^'\n]*)'|\"(?P<double>[^\"\n]*)\"|(?P<value>[^\s\"',;&{{}}]+))",
    re.IGNORECASE,
)
_HINTS = ("pass", "pwd", "key", "token", "secret", "credential", "auth", "signature")
_TELLING = re.compile(rf"(?:.*[_.-])?(?:{_LOOSE}|{_STRONG}|token|secret|credential|.*password)s?", re.IGNORECASE)
_REFERENCE = re.compile(r"env:[A-Za-z_]\w*|file:\S.*")
_HOLLOW = re.compile(
    r"[*•.x…]*|<.*>?|\$.*|\{.*|%\(?\w+.*|:\w+|\?|[A-Z_]*(?:PASSWORD|SECRET|TOKEN|KEY|NAME)|env:.*|file:.*|••.*"
    r"|(?i:null|none|true|false|string|text|(?:big|small)?int|varchar|binary|boolean|date|timestamp|required|optional)"
)
"""What stands where a secret would: a reference, a parameter, a sign, a type."""
_COLUMN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Za-z_][\w.]*\(.*")
_SNAKE = re.compile(r"[a-z]+\d*(?:_[a-z0-9]{1,12})+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORD = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{32,128}={0,2}(?![A-Za-z0-9+/_=-])")
_PUBLIC = re.compile(r"(?:sha(?:1|256|384|512)[-:]|base64,|ssh-\w+ |ecdsa-[\w-]+ )$", re.IGNORECASE)
"""What stands before a hash, a picture or a public key."""
_HASH = re.compile(r"sha(?:1|256|384|512)-", re.IGNORECASE)
_CERTIFICATE = re.compile(rf"-----BEGIN (?![A-Z ]*PRIVATE)[A-Z ]+-----{_TO_NEXT_RULE}-----END [A-Z ]+-----")
_PLACE = re.compile(rf"{SIGN}([\w ]+){SIGN}")


def find_secrets(text: str) -> tuple[Secret, ...]:
    """Every secret in a text, in order; none overlaps another."""
    if not _MAY_BE.search(text):
        return ()
    found = sorted((*_by_format(text), *_by_name(text), *_by_entropy(text)), key=lambda one: (one.start, -one.end))
    apart: list[Secret] = []
    for one in found:
        if not apart or one.start >= apart[-1].end:
            apart.append(one)
    return tuple(apart)


def may_hold(text: str) -> bool:
    """Whether it is worth a closer look: what `find_secrets` finds, or `redacted` has written, may be in it."""
    return _MAY_BE.search(text) is not None or SIGN in text


def redacted(text: str) -> str:
    """The text with the kind of each secret in its place; itself where there is none."""
    return _without(text, find_secrets(text))


def redacted_start(text: str, length: int) -> str:
    """As `redacted`, no longer than `length`; a secret that goes on behind that is seen as a whole."""
    seen = text[: length + _AHEAD]
    found = [one for one in find_secrets(seen) if one.start < length]
    end = max(length, found[-1].end if found else 0)
    return _without(seen[:end], found)[:length]


def _without(text: str, found: Sequence[Secret]) -> str:
    if not found:
        return text
    parts, done = list[str](), 0
    for one in found:
        parts += [text[done : one.start], SIGN, one.kind, SIGN]
        done = one.end
    return "".join([*parts, text[done:]])


def taken_out(text: str) -> str:
    """The kind of a secret in whose place `redacted` has put it; empty where none was."""
    found = _PLACE.search(text)
    return found[1] if found else ""


def is_telling(name: str) -> bool:
    """Whether what is called so is a secret, whatever it is: `password`, `db_password`, `api_key`."""
    return _TELLING.fullmatch(name) is not None


def is_reference(text: str) -> bool:
    """Whether it says where a secret is, `env:NAME` or `file:PATH`, and is none itself."""
    return _REFERENCE.fullmatch(text) is not None


def _by_format(text: str) -> Iterator[Secret]:
    for each in _FORMATS:
        if each.hint in text:
            for match in re.finditer(each.pattern, text):
                group = "secret" if "secret" in match.groupdict() else 0
                if match[group] is not None and not _HOLLOW.fullmatch(match[group]):
                    yield Secret(each.kind, match.start(group), match.end(group))


def _by_name(text: str) -> Iterator[Secret]:
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return
    for match in _NAMED.finditer(text):
        group = next(name for name in ("single", "double", "value") if match[name] is not None)
        value = match[group].rstrip(").]") if group == "value" else match[group]
        if value and not _HOLLOW.fullmatch(value) and not _UUID.fullmatch(value) and _is_value(match, value, group):
            kind = "password" if match["loose"] else "secret value"
            yield Secret(kind, match.start(group), match.start(group) + len(value))


def _is_value(match: re.Match[str], value: str, group: str) -> bool:
    """Whether what a name is said to be is a secret, and no column, expression or word."""
    bare = group == "value"
    if bare and _COLUMN.fullmatch(value) and not _is_random(value, 0.4):
        return False
    if match["loose"] and match["sign"].strip() == "=" and not (bare and match["sign"] != "="):
        return len(value) >= 4 and not (bare and _is_owned(match.string, match.start()))
    if match["loose"] or match["strong"]:
        return _is_mixed(value) and not _SNAKE.fullmatch(value)
    path = value[:1] in "/~." or value.count("/") > 2 or "://" in value
    return len(value) >= 16 and not path and (_is_random(value, 0.3) or bool(match["secretive"] and _is_lower(value)))


def _is_owned(text: str, start: int) -> bool:
    """Whether a name in which something starts there is a column of something, such as `u.db_password`."""
    first = max(start - _LONGEST_NAME, 0)
    while start > first and (text[start - 1].isalnum() or text[start - 1] in "_-"):
        start -= 1
    return text[start - 1 : start] == "."


def _by_entropy(text: str) -> Iterator[Secret]:
    if len(text) < 32:
        return
    public: list[tuple[int, int]] | None = None
    for match in _WORD.finditer(text):
        word = match[0]
        parts = re.split(r"[/_+=-]", word)
        if not _is_random(max(parts, key=len), 0.4) or _bits(word) < 4.0 or word.count("/") > 3 or _is_encoded(word):
            continue
        if _HASH.match(word) or _PUBLIC.search(text, max(0, match.start() - 24), match.start()):
            continue
        if public is None:
            public = [found.span() for found in _CERTIFICATE.finditer(text)] if "-----BEGIN" in text else []
        before = bisect_right(public, match.start(), key=itemgetter(0))
        if not before or match.start() >= public[before - 1][1]:
            yield Secret("key of high entropy", *match.span())


def _is_mixed(value: str) -> bool:
    """Whether it has at least six characters, among them a letter and what is none."""
    letters = sum(character.isalpha() for character in value)
    return len(value) >= 6 and 0 < letters < len(value) and not re.fullmatch(r"[A-Za-z]+[-_. /][A-Za-z-_. /]*", value)


def _is_random(word: str, rate: float) -> bool:
    """Whether it has upper case, lower case and digits, and these alternate at that share of its places."""
    classes = ["u" if one.isupper() else "l" if one.islower() else "d" if one.isdigit() else "o" for one in word]
    if not {"u", "l", "d"} <= set(classes) or len(word) < 12:
        return False
    turns = sum(one != other for one, other in pairwise(classes))
    return turns >= rate * (len(word) - 1)


def _is_lower(word: str) -> bool:
    """Whether it is random in lower case and digits, and no hash."""
    turns = sum(one.isdigit() != other.isdigit() for one, other in pairwise(word))
    return word.isalnum() and word.islower() and turns >= 0.25 * len(word) and not re.fullmatch("[0-9a-f]+", word)


def _bits(word: str) -> float:
    """Shannon entropy of a character."""
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares)


def _is_encoded(word: str) -> bool:
    """Whether it is base64 of a text, or of a file that says by its first bytes what it is."""
    try:
        body = word.rstrip("=").translate(str.maketrans("-_", "+/"))
        data = base64.b64decode(body[: len(body) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return False
    printable = sum(32 <= byte < 127 or byte in (9, 10, 13) for byte in data)
    return printable >= 0.9 * len(data) or data.startswith(
        (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b", b"PAR1")
    )
