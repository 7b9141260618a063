"""What a finding means: `pilothouse explain`, and `enter` on a finding under review."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from console.app import PilothouseApp
from console.edit import Review
from console.screens.check_page import CheckPage
from console.screens.review import ReviewScreen
from metadata.changes import Change, ChangeSet
from metadata.checks.catalogue import codes, page
from metadata.database import Database
from metadata.document_schema import blueprint_schema
from metadata.failures import failures
from metadata.findings import Finding
from metadata.kinds import SECTIONS, Blueprint
from tests.console.looking import seen, until, until_seen
from tests.console.running import Commands
from tests.console.test_bursts import send, settled

MakeApp = Callable[[], PilothouseApp]


def finding(code: str, key: str) -> Finding:
    return Finding(code, "warning", "dataset", key, (), "it is as it is", "mend it")


def created(count: int) -> ChangeSet:
    changes = tuple(Change("created", "dataset", f"d{number}", str(number), None, None, {}) for number in range(count))
    return ChangeSet(changes, Blueprint(), Blueprint())


def test_a_code_is_explained_in_words_and_as_json(run: Commands) -> None:
    shown = run("explain", "ph131")
    assert shown.code == 0
    assert "PH131 Rows twice" in shown.out
    assert page("PH131").remedy.split(".")[0] in " ".join(shown.out.split())
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    assert all(line in shown.out.splitlines() for line in page("PH131").example)
    said = run.told("explain", "131")
    assert (said["code"], said["right"]) == ("PH131", page("PH131").right)


def test_a_code_of_a_failure_says_what_it_means_and_how_it_is_mended(run: Commands) -> None:
    shown = run("explain", "ph216")
    assert shown.code == 0
    assert "PH216 Several rows of one batch have the same key" in shown.out
    assert "To mend it\nLet the query give one row a key" in shown.out
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    remedy = "it is started again by itself while the supervisor is up; else pilothouse up."
    assert run.told("explain", "PH410")["remedy"] == remedy


def test_without_a_code_all_are_listed(run: Commands) -> None:
    assert [each["code"] for each in run.told("explain")] == sorted([*codes(), *failures()])
    assert "PH173  Partners may miss each other" in run("explain").out


def test_a_code_that_is_none_is_wrong_use_and_says_what_lists_them(run: Commands) -> None:
    refused = run("explain", "PH1311", "--json")
    assert refused.code == 2
    assert refused.out == ""
    assert "PH353 code PH1311" in refused.err
    assert "there is no such code" in refused.err
    assert "pilothouse explain lists them all" in refused.err


async def opened(app: PilothouseApp, review: Review) -> list[object]:
    answers: list[object] = []
    app.push_screen(ReviewScreen(review), answers.append)
    return answers


async def test_enter_opens_the_page_of_the_chosen_finding_and_esc_leads_back(
    empty_database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        found = (finding("PH136", "a"), finding("PH173", "b"))
        answers = await opened(app, Review(Blueprint(), 1, created(1), found))
        await until_seen(pilot, "enter explain PH136 (1 of 2)", "esc leave")
        await pilot.press("j")
        await until_seen(pilot, "enter explain PH173 (2 of 2)", "▸ warning PH173")
        await pilot.press("enter")
        await until_seen(pilot, "PH173 Partners may miss each other", "esc back", "At run time")
        await pilot.press("G")
        await until_seen(pilot, "-        reads: {plays: new, songs: new}")
        await pilot.press("escape")
        await until_seen(pilot, "enter explain PH173 (2 of 2)")
        await pilot.press("k", "enter")
        await until_seen(pilot, "PH136 Ties at the watermark")
        await pilot.press("enter", "escape")
        await until(pilot, lambda: bool(answers))
        assert answers == [""]


async def test_enter_twice_never_opens_two_pages(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        await opened(app, Review(Blueprint(), 1, created(1), (finding("PH136", "a"),)))
        await until_seen(pilot, "enter explain PH136", "esc leave")
        send(app, "enter", "enter")
        await settled(pilot)
        assert sum(isinstance(screen, CheckPage) for screen in app.screen_stack) <= 1
        assert sum(isinstance(screen, ReviewScreen) for screen in app.screen_stack) == 1


async def test_going_down_reads_the_changes_before_it_chooses_among_findings(
    empty_database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        found = tuple(finding("PH136", f"k{number}") for number in range(12))
        await opened(app, Review(Blueprint(), 1, created(40), found))
        await until_seen(pilot, "enter explain PH136 (1 of 12)", "created dataset d0")
        passed = []
        for _ in range(120):
            await pilot.press("j")
            await pilot.wait_for_animation()
            passed.append(app.screen._chosen)  # type: ignore[attr-defined]
        assert passed == sorted(passed)
        assert set(passed) == set(range(12))
        await until_seen(pilot, "enter explain PH136 (12 of 12)", "dataset k11")
        await pilot.press("g")
        await until_seen(pilot, "created dataset d0")
        await pilot.press("G", "k")
        await until_seen(pilot, "(11 of 12)")


async def test_what_has_no_page_offers_none(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        await opened(app, Review(None, 1, None, (Finding("PH342", "error", "", "it", (), "so", "mend it"),)))
        await until_seen(pilot, "error PH342", "e edit again  esc leave")
        await pilot.press("enter")
        assert isinstance(app.screen, ReviewScreen)
        assert "explain" not in seen(app)


def test_a_place_of_a_document_is_explained_in_words_and_as_json(run: Commands) -> None:
    shown = run("blueprint", "explain", "dataset.storage")
    assert shown.code == 0
    assert "mode  append, merge or overwrite; default append" in shown.out
    assert "Columns that identify a row; needed to merge." in shown.out
    assert all(len(line) <= 80 for line in run("blueprint", "explain", "pipeline.tasks").out.splitlines())
    assert [each["name"] for each in run.told("blueprint", "explain")["kinds"]] == list(SECTIONS)
    refused = run("blueprint", "explain", "dataset.storag")
    assert (refused.code, refused.out) == (2, "")
    assert "PH354 dataset.storag" in refused.err


def test_the_schema_is_printed(run: Commands) -> None:
    assert json.loads(run("blueprint", "schema").out) == blueprint_schema()


def test_a_start_is_written_once_and_passes_the_check_as_it_stands(
    empty_database: Database, tmp_path: Path, run: Commands
) -> None:
    first = tmp_path / "first.yaml"
    made = run("blueprint", "init", first)
    assert (made.code, made.err) == (0, "")
    assert "pilothouse.schema.json" in made.out
    assert run.told("blueprint", "check", first) == []
    assert run("blueprint", "fmt", "--check", first).code == 0
    refused = run("blueprint", "init", first)
    assert (refused.code, refused.out) == (2, "")
    assert f"PH355 {first}" in refused.err
