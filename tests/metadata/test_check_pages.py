"""The pages of checks: each example is wrong by its own check and by no other, and nothing is wrong once mended."""

from __future__ import annotations

import pytest

from metadata.checks import catalogue, check
from metadata.documents import try_read
from metadata.errors import UsageError
from metadata.findings import Finding
from metadata.settings import Settings

CODES = catalogue.codes()


def found(text: str) -> list[Finding]:
    """What reading and checking a document find, as a home finds it whose settings are the defaults."""
    document, findings = try_read({"example": text})
    if document is None:
        return list(findings)
    return check(document.blueprint, estimator_prefixes=Settings().estimator_prefixes, locations=document.locations)


@pytest.mark.parametrize("code", CODES)
def test_the_example_is_found_wrong_by_its_check_alone_and_is_right_once_mended(code: str) -> None:
    page = catalogue.page(code)
    assert {each.code for each in found(page.wrong)} == {code}
    assert [str(each) for each in found(page.right)] == []


@pytest.mark.parametrize("code", CODES)
def test_a_page_is_short_enough_for_a_terminal(code: str) -> None:
    page = catalogue.page(code)
    assert (page.code, page.title[:1].isupper()) == (code, True)
    assert all(text.endswith(".") and len(text) < 420 for text in (page.meaning, page.why, page.remedy))
    assert max(len(page.wrong.splitlines()), len(page.right.splitlines())) <= 15
    assert all(line[:1] in (" ", "+", "-") and len(line) <= 76 for line in page.example)


def test_there_are_at_least_thirty_checks_and_each_has_a_title_of_its_own() -> None:
    assert len({catalogue.page(code).title for code in CODES}) == len(CODES) >= 30


@pytest.mark.parametrize("word", ["PH131", "ph131", "131"])
def test_a_code_is_found_as_people_write_it(word: str) -> None:
    assert catalogue.find(word).code == "PH131"


@pytest.mark.parametrize("word", ["PH163", "PH1311", "ph31", "PH999", "", "quarantine", "../PH131"])
def test_what_is_no_code_is_said_with_the_command_that_lists_them_and_no_code_that_merely_looks_like_it(
    word: str,
) -> None:
    with pytest.raises(UsageError, match="PH353") as refused:
        catalogue.find(word)
    assert refused.value.fault.cause == "there is no such code"
    assert refused.value.fault.remedy == "pilothouse explain lists them all"
