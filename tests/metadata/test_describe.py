"""What may stand at a path of a document, in words: of every path that there is, and of what is none."""

from __future__ import annotations

import pytest

from metadata.describe import Described, describe
from metadata.errors import UsageError
from metadata.kinds import SECTIONS
from metadata.tasks import task_kinds


def below(path: str) -> list[Described]:
    """What stands at a path, and all that stands below it."""
    found = describe(path)
    names = [each.name for each in (*found.kinds, *found.fields)]
    return [found, *(each for name in names for each in below(f"{path}.{name}" if path else name))]


ALL = below("")


def test_every_path_says_its_type_and_what_it_is_for() -> None:
    assert len(ALL) > 200
    assert [each.path for each in ALL if not each.type] == []
    assert [each.path for each in ALL if not each.text] == []
    assert not any("$" in each.type or "#" in each.type for each in ALL)


def test_all_kinds_of_definition_and_of_task_are_there() -> None:
    assert [each.name for each in describe().kinds] == list(SECTIONS)
    written = {name for name, kind in task_kinds().items() if not kind.GENERATED}
    assert {each.name for each in describe("pipeline.tasks").kinds} == written


def test_a_field_says_type_default_and_what_stands_below_it() -> None:
    storage = describe("dataset.storage")
    assert storage.text == "How it is written."
    mode = storage.fields[0]
    assert (mode.name, mode.type, mode.default, mode.required) == (
        "mode",
        "append, merge or overwrite",
        '"append"',
        False,
    )


@pytest.mark.parametrize(
    ("path", "kind", "required"),
    [
        ("dataset.fresh_within", "length of time, as in 30 d", False),
        ("dataset.quality.at_most", "share, as in 5 %", False),
        ("dataset.columns", "by name, each text or keys with values", False),
        ("model.features", "list, each key of a feature set", True),
        ("connection.sql.url", "text", True),
        ("pipeline.tasks.transform.reads", "by name, each all or new or keys with values", False),
        ("schedule.parameters", "by name, each text, number or true or false", False),
        ("monitor.threshold", "keys with values, of kind calibrated or fixed", False),
        ("pipeline.tasks.monitor.monitor", "key of a monitor", True),
    ],
)
def test_types_are_said_in_plain_words(path: str, kind: str, required: bool) -> None:
    found = describe(path)
    assert (found.type, found.required) == (kind, required)


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("datasets.storage", "dataset.storage"),
        ("pipeline.tasks.ingest.source.connection", "pipeline.tasks.ingest.from.connection"),
        ("pipeline.tasks.features.feature_set", "pipeline.tasks.features.set"),
        ("feature_set.source", "feature_set.from"),
    ],
)
def test_sections_and_the_names_of_the_models_are_known_too(path: str, same: str) -> None:
    assert describe(path) == describe(same)


@pytest.mark.parametrize(
    ("path", "thing", "remedy"),
    [
        ("datset", "datset", "did you mean dataset?"),
        ("dataset.storag.mode", "dataset.storag", "did you mean storage?"),
        ("pipeline.tasks.ingst", "pipeline.tasks.ingst", "did you mean ingest?"),
        ("dataset.owner.name", "dataset.owner.name", "ask for dataset.owner"),
        ("dataset.uid", "dataset.uid", "there are: was, description"),
        ("pipeline.tasks.promote", "pipeline.tasks.promote", "there are: decide, features"),
    ],
)
def test_what_is_nowhere_is_said_with_the_nearest(path: str, thing: str, remedy: str) -> None:
    with pytest.raises(UsageError, match="PH354") as refused:
        describe(path)
    assert refused.value.fault.thing == thing
    assert remedy in refused.value.fault.remedy
