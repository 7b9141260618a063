"""Documents that somebody, or something, has broken: made of good ones, by a seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

Break = Callable[[random.Random, bytes], bytes]


LONG = b"x" * 5_000_000
"""A line of five megabytes."""


def documents(good: list[bytes], seed: int) -> Iterator[tuple[str, bytes]]:
    """Without end, each with the name of what was done to it: every way in turn, some of them twice over."""
    chance = random.Random(seed)
    for number in itertools.count():
        name, break_it = WAYS[number % len(WAYS)]
        text = break_it(chance, chance.choice(good))
        if chance.random() < 0.3:
            other, break_again = chance.choice(WAYS)
            name, text = f"{name}, {other}", break_again(chance, text)
        yield f"{number} {name}", text


def _at(chance: random.Random, text: bytes, piece: bytes) -> bytes:
    place = chance.randrange(len(text) + 1)
    return text[:place] + piece + text[place:]


def _line(chance: random.Random, text: bytes, change: Callable[[bytes], bytes]) -> bytes:
    lines = text.split(b"\n")
    place = chance.randrange(len(lines))
    lines[place] = change(lines[place])
    return b"\n".join(lines)


def _value(piece: bytes) -> Break:
    """Another value for a key that has one."""

    def put(chance: random.Random, text: bytes) -> bytes:
        lines = text.split(b"\n")
        places = [place for place, line in enumerate(lines) if b": " in line and b"{" not in line]
        if places:
            place = chance.choice(places)
            lines[place] = lines[place].partition(b": ")[0] + b": " + piece
        return b"\n".join(lines)

    return put


def _flip(chance: random.Random, text: bytes) -> bytes:
    made = bytearray(text)
    for _ in range(chance.randrange(1, 20)):
        made[chance.randrange(len(made))] = chance.randrange(256)
    return bytes(made)


def _cut(chance: random.Random, text: bytes) -> bytes:
    return text[: chance.randrange(len(text))]


def _repeat(chance: random.Random, text: bytes) -> bytes:
    return _line(chance, text, lambda line: line + b"\n" + line)


def _swap(chance: random.Random, text: bytes) -> bytes:
    lines = text.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _shift(chance: random.Random, text: bytes) -> bytes:
    return _line(chance, text, lambda line: b" " * chance.randrange(1, 5) + line)


BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + step, 98 + step, b", ".join([b"*%c" % (97 + step)] * 9)) for step in range(8)
)
WAYS: list[tuple[str, Break]] = [
    ("bytes", _flip),
    ("cut", _cut),
    ("a line twice", _repeat),
    ("lines swapped", _swap),
    ("a line shifted", _shift),
    ("a tab", lambda chance, text: _line(chance, text, lambda line: b"\t" + line)),
    ("tabs within", lambda chance, text: text.replace(b"  ", b"\t", chance.randrange(1, 9))),
    ("a NUL", lambda chance, text: _at(chance, text, b"\0")),
    ("an escaped NUL", _value(b'"\\0"')),
    ("half a character", _value(b'"\\ud800"')),
    ("half a character in bytes", lambda chance, text: _at(chance, text, b"\xed\xa0\x80")),
    ("UTF-16", lambda _chance, text: text.decode().encode("utf-16")),
    ("deep lists", _value(b"[" * 3000 + b"]" * 3000)),
    ("deep mappings", _value(b"{a: " * 3000 + b"1" + b"}" * 3000)),
    ("deep blocks", lambda _chance, text: text + b"\n" + b"".join(b" " * deep + b"a:\n" for deep in range(400))),
    ("a bomb of aliases", lambda _chance, text: text + b"\n" + BOMB),
    ("an alias of itself", _value(b"&a [*a]")),
    ("an alias of nothing", _value(b"*nobody")),
    ("a merge", lambda _chance, text: text.replace(b"\n  ", b"\n  <<: {description: x}\n  ", 1)),
    ("a merge of an alias", _value(b"{<<: *base}")),
    ("a python tag", _value(b"!!python/object/apply:os.system ['false']")),
    ("a local tag", _value(b"!include /etc/passwd")),
    ("a binary", _value(b"!!binary aGVsbG8=")),
    ("a set", _value(b"!!set {a, b}")),
    ("a huge number", _value(b"9" * 5000)),
    ("a number of 70 bits", _value(b"1180591620717411303424")),
    ("no number", _value(b".nan")),
    ("without end", _value(b"-.inf")),
    ("a mapping", _value(b"{a: 1}")),
    ("a list", _value(b"[1, {a: b}]")),
    ("nothing", _value(b"")),
    ("a truth", _value(b"true")),
    ("a date", _value(b"2013-01-01T00:00:00Z")),
    ("a long line", _value(b"x" * 100_000)),
    ("a key of 5,000 characters", lambda _chance, text: text + b"\ndatasets_:\n  " + b"k" * 5000 + b": {}\n"),
    ("a key that is a list", lambda chance, text: _line(chance, text, lambda line: line + b"\n? [a, b]\n: c")),
    ("sections of another kind", lambda _chance, text: text.replace(b"datasets:", b"models:")),
    ("only a text", lambda _chance, _text: b"just words\n"),
    ("only a list", lambda _chance, text: b"- " + text.replace(b"\n", b"\n  ")),
    ("nothing at all", lambda _chance, _text: b""),
    ("two documents", lambda _chance, text: text + b"\n---\n" + text),
    ("a directive", lambda _chance, text: b"%YAML 9.9\n%TAG ! tag:x,2000:\n---\n" + text),
    ("strange ends of lines", lambda _chance, text: text.replace(b"\n", "\u2028".encode(), 3)),
    ("escapes of a terminal", _value(b'"\\e]0;x\\a\\e[2J"')),
    ("characters that turn round", _value('"\u202egnp.exe"'.encode())),
    ("a uid", lambda _chance, text: text.replace(b"\n  ", b"\n    uid: x\n  ", 3)),
    ("was itself", _value(b"was")),
    ("SQL that ends early", _value(b"SELECT ((((")),
    ("SQL that is deep", _value(b'"SELECT ' + b"(" * 3000 + b"1" + b")" * 3000 + b' FROM a"')),
    ("an expression that is deep", _value(b'"' + b"(" * 3000 + b"1" + b")" * 3000 + b'"')),
]
"""What is done to a good document."""
