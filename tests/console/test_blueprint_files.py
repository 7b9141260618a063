"""The blueprint as files: one form, a folder of them, and a way through the database that keeps every comment."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from console.cli import blueprint_files
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import read
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.settings import settings
from metadata.starting import SCHEMA_FILE
from metadata.yaml_writer import plain_content
from tests.console.running import Commands

SHOP = """\
# The shop, by Ada.

datasets:
    # as they land
    bronze.orders:
        columns: { order_id: long,  amount: double }   # all of them
        layer: bronze

    gold.revenue: {layer: gold}   # by day
connections:
  landing: {kind: files, path: landing}
"""

pytestmark = pytest.mark.usefixtures("empty_database")


def test_a_file_goes_through_the_database_and_back(run: Commands, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP, encoding="utf-8")
    assert "Revision 1 is applied." in run("blueprint", "apply", file).out
    assert run("blueprint", "export", "--into", file).out == f"{file} is up to date.\n"
    assert file.read_text(encoding="utf-8") == SHOP
    exported = run("blueprint", "export").out
    assert (
        "  # as they land\n  bronze.orders:\n    layer: bronze\n    columns: {order_id: long, amount: double}  # all"
        in exported
    )
    assert run("blueprint", "fmt", "-", "--check", given=exported.encode()).code == 0

    said = SHOP.replace("by day", "by month")
    file.write_text(said, encoding="utf-8")
    assert "No differences, but in the comments of 1 definition" in (ended := run("blueprint", "diff", file)).out
    assert ended.code == 0
    assert "The comments of 1 definition are kept" in run("blueprint", "apply", file).out
    assert "# by month" in run("blueprint", "export", "gold.revenue").out

    other = tmp_path / "other.yaml"
    other.write_text(
        "datasets:\n  # as they came\n  bronze.sales: {was: bronze.orders, layer: bronze, columns: {order_id: long}}\n"
        "  gold.new:\n    # not yet\n    layer: gold\nschedules:\n",
        encoding="utf-8",
    )
    assert run("blueprint", "apply", other).code == 0
    assert f"{file} is up to date now" in run("blueprint", "export", "--into", file).out
    now = file.read_text(encoding="utf-8")
    assert now.startswith("# The shop, by Ada.\n\ndatasets:\n")
    assert "    gold.revenue: {layer: gold}   # by month\n" in now
    assert "    gold.new:\n      # not yet\n      layer: gold\n" in now
    assert "    # as they came\n    bronze.sales: {layer: bronze, columns: {order_id: long}}\n" in now
    assert "bronze.orders" not in now
    assert run("blueprint", "diff", file).out == "No differences.\n"


def test_a_file_keeps_the_mark_and_the_line_ends_that_it_has(run: Commands, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    said = f"\ufeff{SHOP}".replace("\n", "\r\n").encode()
    file.write_bytes(said)
    assert run("blueprint", "apply", file).code == 0
    run("blueprint", "apply", "-", given=b"datasets:\n  gold.revenue: {layer: silver}\n")
    assert run("blueprint", "export", "--into", file).out == f"{file} is up to date now\n"
    assert file.read_bytes() == said.replace(b"{layer: gold}", b"{layer: silver}")
    assert run("blueprint", "fmt", file).out == f"{file} is in form now\n"
    assert file.read_bytes().startswith(b"\xef\xbb\xbf#")


def test_a_folder_is_written_once_and_brought_up_to_date_after(run: Commands, tmp_path: Path) -> None:
    file, folder = tmp_path / "shop.yaml", tmp_path / "shop"
    file.write_text(SHOP, encoding="utf-8")
    run("blueprint", "apply", file)
    assert run("blueprint", "export", "--to", folder).out == f"3 files in {folder}.\n"
    assert sorted(path.name for path in folder.iterdir()) == ["connections.yaml", "datasets.yaml", SCHEMA_FILE]
    assert run("blueprint", "export", "--to", folder).code == 0
    assert run("blueprint", "fmt", "--check", folder).out == "2 files in form.\n"
    with (folder / "datasets.yaml").open("a", encoding="utf-8") as file_of_theirs:
        file_of_theirs.write("# the end\n")
    assert (refused := run("blueprint", "export", "--to", folder)).code == 2
    assert "PH837" in refused.err
    assert "--into" in refused.err

    (folder / "datasets.yaml").rename(folder / "tables.yaml")
    run("blueprint", "apply", folder)
    change = tmp_path / "change.yaml"
    change.write_text(
        "datasets:\n  silver.orders:\n    layer: silver # soon\n"
        "pipelines:\n  p:\n    tasks:\n"
        "      load: {kind: ingest, from: {connection: landing, files: a.csv}, to: bronze.orders}\n",
        encoding="utf-8",
    )
    assert run("blueprint", "apply", change).code == 0
    run("blueprint", "export", "--into", folder)
    assert "  silver.orders:\n    layer: silver # soon\n" in (folder / "tables.yaml").read_text(encoding="utf-8")
    assert "# as they land" in (folder / "tables.yaml").read_text(encoding="utf-8")
    assert (folder / "pipelines.yaml").read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=")
    assert run("blueprint", "check", folder).code == 0
    assert run("blueprint", "diff", folder).code == 0
    assert run("blueprint", "export", "--into", folder).out == f"{folder} is up to date.\n"

    (folder / "twice.yaml").write_text("datasets:\n  silver.orders: {}\n", encoding="utf-8")
    twice = run("blueprint", "check", folder)
    assert (twice.code, "PH103" in twice.out, "tables.yaml" in twice.out, "twice.yaml" in twice.out) == (
        1,
        True,
        True,
        True,
    )
    (folder / "twice.yaml").unlink()
    (folder / "away.yaml").symlink_to(file)
    away = run("blueprint", "check", folder)
    assert (away.code, "leads out of" in away.out) == (1, True)


def test_everything_removed_leaves_no_file_but_the_comments_of_one(run: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (folder / "more.yaml").write_text("datasets:\n  more: {}\n", encoding="utf-8")
    assert run("blueprint", "export", "--into", folder, "--yes").code == 0
    assert [path.name for path in folder.iterdir()] == ["shop.yaml"]
    assert (folder / "shop.yaml").read_text(encoding="utf-8") == "# The shop, by Ada.\n\ndatasets: {}\n"
    assert run("blueprint", "export", "--into", folder).out == f"{folder} is up to date.\n"
    assert run("blueprint", "diff", "--prune", folder).code == 0
    (folder / "shop.yaml").write_text(SHOP[SHOP.index("datasets") :], encoding="utf-8")
    assert run("blueprint", "export", "--into", folder, "--yes").code == 0
    assert (folder / "shop.yaml").read_text(encoding="utf-8") == "datasets: {}\n"


def test_an_export_of_nothing_says_so_and_is_read_back(run: Commands, tmp_path: Path) -> None:
    made = run("blueprint", "export")
    assert (made.code, made.out) == (0, "# There is no definition in this blueprint.\ndatasets: {}\n")
    assert run("blueprint", "fmt", "-", "--check", given=made.out.encode()).code == 0
    assert run("blueprint", "export", "--to", tmp_path / "none").code == 0

    run("blueprint", "apply", "-", given=SHOP.encode())
    for nothing in (b"", b"# nothing\n", b"datasets:\n"):
        refused = run("blueprint", "apply", "--prune", "--yes", "-", given=nothing)
        assert (refused.code, "there is no definition in it" in refused.err) == (1, True)
    for source, given in ((tmp_path / "none", b""), ("-", made.out.encode())):
        assert run("blueprint", "check", source, given=given).code == 0
        assert "No differences." in run("blueprint", "diff", source, given=given).out
        assert "- dataset gold.revenue" in run("blueprint", "diff", "--prune", source, given=given).out
    assert run("blueprint", "apply", "--prune", "--yes", "-", given=made.out.encode()).code == 0
    assert run("blueprint", "export").out == made.out


def test_files_do_not_lose_what_the_home_never_had(run: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (folder / "more.yaml").write_text("datasets:\n  more: {}\n", encoding="utf-8")

    def refused(thing: str, cause: str) -> None:
        said = {path.name: path.read_bytes() for path in folder.iterdir()}
        ended = run("blueprint", "export", "--into", folder)
        assert (ended.code, ended.out) == (2, ""), ended
        assert ended.err.startswith(f"PH843 {thing}\n")
        assert cause in ended.err
        assert "--yes" in ended.err
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == said

    refused(
        "connection landing and 3 others", f"{folder / 'shop.yaml'} has it, and the blueprint of this home is empty"
    )
    run("blueprint", "apply", folder / "shop.yaml")
    refused("dataset more", "the blueprint never had")
    run("blueprint", "apply", folder / "more.yaml")
    run("blueprint", "apply", folder / "shop.yaml", "--prune", "--yes")
    assert "holds nothing any more: removed" in run("blueprint", "export", "--into", folder).out
    assert [path.name for path in folder.iterdir()] == ["shop.yaml"]


def test_files_do_not_lose_what_is_applied_while_they_are_brought_up_to_date(
    run: Commands, tmp_path: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_just_before_it_is_applied(database: Database, number: int | None = None) -> Blueprint:
        found = load_blueprint(database, number)
        apply(database, read([folder / "more.yaml"]).blueprint, author="ada", settings=settings())
        return found

    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.yaml").write_text(SHOP, encoding="utf-8")
    assert run("blueprint", "apply", folder).code == 0
    (folder / "more.yaml").write_text("datasets:\n  more: {}\n", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(blueprint_files, "load_blueprint", read_just_before_it_is_applied)
        ended = run("blueprint", "export", "--into", folder)
    assert (ended.code, ended.err.partition("\n")[0]) == (2, "PH843 dataset more")
    assert (folder / "more.yaml").exists()
    assert run("blueprint", "export", "--into", folder).out == f"{folder} is up to date.\n"


def test_fmt_reads_standard_input_and_refuses_what_it_cannot_read(run: Commands, tmp_path: Path) -> None:
    made = run("blueprint", "fmt", "-", given=SHOP.encode())
    assert (made.code, made.out.index("connections:") < made.out.index("datasets:")) == (0, True)
    again = run("blueprint", "fmt", "-", given=made.out.encode())
    assert again.out == made.out
    assert run("blueprint", "fmt", "-", "--check", given=made.out.encode()).code == 0
    assert run("blueprint", "fmt", "-", "--check", given=SHOP.encode()).code == 3
    assert "PH100" in run("blueprint", "fmt", "-", given=b"\xff").err
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("datasets: [", encoding="utf-8")
    assert (refused := run("blueprint", "fmt", wrong)).code == 1
    assert "PH101" in refused.err
    wrong.write_text(SHOP, encoding="utf-8")
    mode = wrong.stat().st_mode
    assert run("blueprint", "fmt", wrong).code == 0
    assert wrong.stat().st_mode == mode
    assert run("blueprint", "export", "x", "--to", tmp_path / "y").code == 2
    assert (tmp_path / "y").exists() is False


def test_all_that_read_documents_read_standard_input_and_miss_what_is_not_there(run: Commands, tmp_path: Path) -> None:
    given = b"datasets:\n  gold.revenue: {layer: gold}\n"
    assert run("blueprint", "check", "-", given=given).out == "Nothing is wrong.\n"
    assert "standard input:2: error PH105" in run("blueprint", "check", "-", given=given.replace(b"gold}", b"ore}")).out
    assert run("blueprint", "diff", "-", given=given).code == 3
    assert "Revision 1 is applied." in run("blueprint", "apply", "-", given=given).out
    beside = tmp_path / "more.yaml"
    beside.write_text("datasets:\n  gold.more: {layer: gold}\n", encoding="utf-8")
    assert "gold.revenue" not in (ended := run("blueprint", "diff", beside, "-", given=given)).out
    assert "+ dataset gold.more" in ended.out
    assert run("blueprint", "fmt", beside, "-", given=given).code == 2
    for words in ("fmt", "check", "diff", "apply"):
        missed = run("blueprint", words, tmp_path / "none.yaml")
        assert (missed.code, missed.out, "cannot be read: No such file" in missed.err) == (2, "", True), missed
        assert missed.err.startswith(f"PH100 file {tmp_path / 'none.yaml'}\n")
        assert "PH100 standard input" in run("blueprint", words, "-", given=b"\xff").err


def test_an_empty_name_is_never_the_folder_where_one_stands(
    run: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for words in (["fmt"], ["apply", "--yes"], ["check"], ["diff"], ["draft"], ["export", "--into"]):
        ended = run("blueprint", *words, "")
        assert (ended.code, "it is empty: name a file or a folder" in ended.err) == (2, True), ended
    assert file.read_text(encoding="utf-8") == SHOP


def test_the_whole_seed_comes_back_from_a_folder(database: Database, run: Commands, tmp_path: Path) -> None:
    assert run("blueprint", "export", "--to", tmp_path / "all").code == 0
    assert plain_content(read(tmp_path / "all").blueprint) == plain_content(load_blueprint(database))


def test_a_draft_of_files_passes_the_check_and_a_secret_is_not_repeated(run: Commands, tmp_path: Path) -> None:
    landed = tmp_path / "landed"
    landed.mkdir()
    (landed / "orders-1.csv").write_text("id,at,amount\n1,2024-01-01,2.5\n2,2024-01-02,NA\n", encoding="utf-8")
    made = run("blueprint", "draft", landed)
    assert (made.code, "Key candidates" in made.out) == (0, True)
    file = tmp_path / "drafted.yaml"
    file.write_text(made.out, encoding="utf-8")
    assert run("blueprint", "check", file).out == "Nothing is wrong.\n"
    assert run("blueprint", "fmt", "--check", file).code == 0
    refused = run("blueprint", "draft", "postgresql://ada:hunter2@localhost/shop")
    assert (refused.code, "PH839" in refused.err, "hunter2" in refused.err) == (2, True, False)
    assert run("blueprint", "draft", landed, "--table", "x").code == 2


def test_what_cannot_be_drafted_is_a_wrong_call_and_what_is_near_is_named(run: Commands, tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text("a b,a_b\n1,2\n", encoding="utf-8")
    with sqlite3.connect(tmp_path / "shop.db") as link:
        link.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        link.execute('CREATE TABLE twice ("a b" TEXT, a_b TEXT)')
    link.close()
    database = f"sqlite:///{tmp_path / 'shop.db'}"
    for source, told in (
        ((tmp_path / "twice.csv",), "PH212"),
        ((database, "--table", "twice"), "PH212"),
        (("env:NOT_SET_ANYWHERE",), "PH230"),
        ((database, "--table", "order"), "there are orders"),
        ((database, "--table", "main.order"), "there are main.orders"),
        ((database, "--table", "mian.orders"), "there are orders"),
    ):
        refused = run("blueprint", "draft", *source)
        assert (refused.code, told in refused.err) == (2, True), refused.err


def test_of_many_findings_the_first_are_shown_and_the_rest_is_counted(run: Commands, tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("datasets:\n" + "".join(f"  d{number}: {{layer: brass}}\n" for number in range(130)))
    said = run("blueprint", "check", str(file))
    assert said.code == 1
    assert (said.out + said.err).count("PH105") == 101  # that of the last line tells of its page
    assert "and 30 more" in said.err


def test_a_rename_of_what_is_not_there_is_told_with_what_is_near(run: Commands, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text("datasets:\n  bronze.sales: {was: bronze.sold, layer: bronze}\n  gold.a: {}\n", encoding="utf-8")
    assert run("blueprint", "check", file).out == "Nothing is wrong.\n"
    assert "PH350" not in run("blueprint", "apply", file).err

    file.write_text("datasets:\n  bronze.orders:\n    layer: bronze\n    was: bronze.sale\n", encoding="utf-8")
    told = run.told("blueprint", "check", file)
    assert [(one["code"], one["severity"], one["key"], one["line"]) for one in told] == [
        ("PH350", "warning", "bronze.orders", 4)
    ]
    assert told[0]["remedy"] == "did you mean bronze.sales? Else leave was: out"
    assert "PH350" in run("blueprint", "diff", file).out
    assert "PH350" in run("blueprint", "diff", "--prune", file).out
    assert run("blueprint", "check", file).code == 0

    meant = file.read_text(encoding="utf-8").replace("bronze.sale", "bronze.sales")
    assert "PH350" not in run("blueprint", "diff", "-", given=meant.encode()).out
    for given, says in ((file.read_text(encoding="utf-8"), True), (meant, False)):
        made = run("blueprint", "apply", "-", given=given.encode())
        assert (made.code, "PH350" in made.err) == (0, says)
    assert run("blueprint", "apply", "-", "--prune", "--yes", given=b"datasets: {gold.a: {}}").code == 0
    back = run("blueprint", "apply", file)
    assert ("comes back" in back.out, "PH350" in back.err) == (True, False)


def test_a_task_that_says_it_was_one_that_is_not_there_is_told_with_what_is_near(run: Commands, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"

    def put(**pipelines: str) -> None:
        given = "".join(f"  {key}: {{tasks: {{{tasks}}}}}\n" for key, tasks in pipelines.items())
        file.write_text(f"datasets: {{raw.a: {{}}, raw.b: {{}}, raw.c: {{}}}}\npipelines:\n{given}", encoding="utf-8")

    def task(key: str, was: str = "", to: str = "a") -> str:
        former = f", was: {was}" if was else ""
        return f"{key}: {{kind: transform, sql: SELECT 1 AS a, to: raw.{to}{former}}}"

    def told() -> list[tuple[str, int, list[str], str]]:
        found = [one for one in run.told("blueprint", "check", file) if one["code"] == "PH350"]
        return [(one["severity"], one["line"], one["path"], one["remedy"]) for one in found]

    put(shop=task("load", was="laod"), depot=task("fetch", to="b") + ", " + task("rest", to="c"))
    assert told() == []
    assert "PH350" not in run("blueprint", "apply", file).err

    def near(key: str) -> str:
        return f"did you mean {key}? Else leave was: out"

    for was, remedy in (
        ("laod", near("load")),
        ("shpo/load", near("shop/load")),
        ("depot/fecth", near("depot/fetch")),
        ("qq", "there are: load; else leave was: out"),
    ):
        put(shop=task("load") + ", " + task("take", was, "b"))
        assert told() == [("warning", 3, ["tasks", "take", "was"], remedy)]
    put(port=task("take", "load", "b"))
    assert told()[0][3] == "write pipeline/task of where it stood; else leave was: out"

    put(shop=task("take", "load"))
    assert told() == []
    assert "PH350" not in run("blueprint", "apply", file).err
    assert told() == []
    moved = {"shop": task("take", "load"), "port": task("bring", "depot/fetch", "b"), "depot": task("rest", to="c")}
    put(**moved)
    assert told() == []
    assert "PH350" not in run("blueprint", "apply", file).err
    assert told() == []
    put(depot=moved["depot"])
    assert run("blueprint", "apply", "--prune", "--yes", file).code == 0
    put(**moved)
    assert told() == []
    put(**moved | {"shop": task("take", "load") + ", " + task("again", "shop/tak", "b")})
    made = run("blueprint", "apply", file)
    assert (made.code, made.err.count("warning PH350")) == (0, 1), made.err
    assert told() == []
