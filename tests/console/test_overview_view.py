"""The first screen as it is drawn: what a person needs fits."""

from __future__ import annotations

from typing import get_args

from console.overview_view import ATTENTION
from metadata.rows.attention import Remedy


def test_every_remedy_fits_beside_its_key() -> None:
    keys = {"see why": "enter"}
    told = [f"{keys.get(remedy, 'r')} {remedy}" for remedy in get_args(Remedy)]
    assert [words for words in told if len(words) > ATTENTION[-1].width] == []
