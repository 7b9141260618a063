"""Secrets are found wherever they stand, by format, name and entropy; what only looks like one passes."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from metadata import tables
from metadata.audit import anchor
from metadata.database import Database
from metadata.documents import DocumentError, read_text
from metadata.errors import Fault, PilothouseError, UsageError
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows.logs import LogLine, read_lines, write_lines
from metadata.rows.runs import create_run, load_plan
from metadata.rows.staged import load_staged, stage
from metadata.secrets import find_secrets, redacted, taken_out
from metadata.settings import Settings
from tests.metadata.audits import launch, put
from tests.metadata.blueprints import orders

ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"
ROOT = Path(__file__).parents[2]
GITHUB = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


def some(chance: random.Random, length: int, letters: str = ALNUM) -> str:
    return "".join(chance.choice(letters) for _ in range(length))


def pem(chance: random.Random) -> str:
    body = "\n".join(some(chance, 64, ALNUM + "+/") for _ in range(4))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"


def service_account(chance: random.Random) -> str:
    return json.dumps({"type": "service_account", "private_key": pem(chance), "client_email": "a@b.iam"})


def encoded(chance: random.Random, count: int) -> str:
    return base64.b64encode(chance.randbytes(count)).decode()


def token(chance: random.Random, kind: str) -> str:
    part = base64.urlsafe_b64encode(json.dumps({kind: some(chance, 12)}).encode()).decode()
    return part.rstrip("=")


MADE: dict[str, Callable[[random.Random], str]] = {
    "AWS access key": lambda c: "AKIA" + some(c, 16, string.ascii_uppercase + "234567"),
    "AWS secret": lambda c: "aws_secret_access_key = " + encoded(c, 30),
    "private key": pem,
    "service account": service_account,
    "Google API key": lambda c: "AIza" + some(c, 35, URLSAFE),
    "Azure account": lambda c: f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={encoded(c, 64)};",
    "Azure bus": lambda c: f"Endpoint=sb://a.net/;SharedAccessKeyName=r;SharedAccessKey={encoded(c, 32)}",
    "Azure SAS": lambda c: f"https://a.blob.core.windows.net/c?sv=2022-11-02&sig={some(c, 43)}%3D",
    "GitHub": lambda c: f"gh{c.choice('pousr')}_{some(c, 36)}",
    "GitHub fine-grained": lambda c: f"github_pat_{some(c, 22)}_{some(c, 59)}",
    "GitLab": lambda c: "glpat-" + some(c, 20, URLSAFE),
    "Slack": lambda c: f"xoxb-{some(c, 12, string.digits)}-{some(c, 24)}",
    "Slack webhook": lambda c: f"https://hooks.slack.com/services/T{some(c, 8)}/B{some(c, 8)}/{some(c, 24)}",
    "Stripe": lambda c: "sk_live_" + some(c, 24),
    "OpenAI": lambda c: "sk-proj-A1" + some(c, 46, URLSAFE),
    "Anthropic": lambda c: "sk-ant-api03-" + some(c, 93, URLSAFE),
    "Hugging Face": lambda c: "hf_" + some(c, 34, string.ascii_letters),
    "npm": lambda c: "npm_" + some(c, 36),
    "PyPI": lambda c: "pypi-AgEIcHlwaS5vcmc" + some(c, 120, URLSAFE),
    "Databricks": lambda c: "dapi" + some(c, 32, HEX),
    "JWT": lambda c: f"{token(c, 'alg')}.{token(c, 'sub')}.{some(c, 43, URLSAFE)}",
    "URL": lambda c: f"postgresql+psycopg://app:{some(c, 9)}@db.example:5432/x",
    "connection string": lambda c: f"Server=db;Database=x;Uid=app;Pwd={some(c, 8)};",
    "password": lambda c: f"password={some(c, 6)}",
    "password in words": lambda c: f"the password: {some(c, 6)}9a!",
    "api key": lambda c: f"api_key: {some(c, 30, HEX)}a1",
    "curl": lambda c: f"curl -sS -u app:{some(c, 9)} http://h:8080/x",
    "curl's proxy": lambda c: f"curl --proxy-user 'app:{some(c, 4)}' h",
    "bearer": lambda c: f"Authorization: Bearer {some(c, 30, URLSAFE)}",
    "named": lambda c: f"token = 'aB3{some(c, 40)}'",
}


@given(st.sampled_from(sorted(MADE)), st.integers(0, 2**32), st.text(max_size=40), st.text(max_size=40))
def test_a_secret_of_each_format_is_found_in_any_text_and_nothing_of_it_stays(
    name: str, seed: int, before: str, after: str
) -> None:
    made = MADE[name](random.Random(seed))
    text = f"{before} \n{made}\n {after}"
    found = find_secrets(text)
    assert any(len(before) < one.end and one.start < len(before) + len(made) + 2 for one in found), made
    left = redacted(text)
    assert taken_out(left) and not find_secrets(redacted(made)), left
    assert all(made[one.start : one.end] not in redacted(made) for one in find_secrets(made))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgresql://u:123/x@h/db", "123/x"),
        ("mysql+pymysql://root:9/4-abc@host", "9/4-abc"),
        ("redis://:7/pw@h", "7/pw"),
        ("see http://h:8080/to?url=amqp://u:1/2@h", "1/2"),
        ("https://ann:tulip@host:443/x", "tulip"),
        ("http://localhost:4200/api@2", ""),
        ("https://registry.example:443/@scope/package and docker://host:5000/image@sha256:12ab", ""),
    ],
)
def test_a_password_in_a_url_may_begin_as_a_port_does(text: str, secret: str) -> None:
    assert [text[one.start : one.end] for one in find_secrets(text)] == ([secret] if secret else [])


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("curl -X POST \\\n  -u app:s3cret \\\n http://h", "s3cret"),
        ("curl -sS \\\n-u app:s3cret http://h", "s3cret"),
        ("curl -u 'app:ge heim' http://h", "ge heim"),
        ('curl --user "app:it\'s one" http://h', "it's one"),
        ("curl -u 'app:geheim", "geheim"),
        ("curl -sSLuapp:s3cret http://h", "s3cret"),
        ("curl -H 'Accept: a; q=1' \"http://h?a=1&b=2|3\" -u app:s3cret", "s3cret"),
        ("curl http://h?a=1&b=2 -u app:s3cret", "s3cret"),
    ],
)
def test_a_password_is_found_wherever_the_same_command_goes_on(text: str, secret: str) -> None:
    assert [text[one.start : one.end] for one in find_secrets(text)] == [secret]


HOSTILE = [
    *("a", "a://b:", "http://a:1", "http://a:1/", "a://b:c@", "sk-", "sk--", "eyJ", "eyJaaaaaaaaaaa.", "_"),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\nabc-def\n", "-----BEGIN ", "Aa1", " "),
    *("curl ", "curl -u ", "curl -u a:", "curl\t-u", "curl -u 'a:", "curl '", "curl\"'", "curl \\\n", "-su "),
    *("-----BEGIN CERT-----\nAa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk ", "Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk ", "password "),
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_a_text_takes_a_time_in_proportion_to_its_length(part: str) -> None:
    def taken() -> float:
        begun = time.process_time()
        redacted(part * (200_000 // len(part)) + "://u key=")
        return time.process_time() - begun

    assert any(taken() < 0.6 for _ in range(3)), "whatever else this process has to do once"


def test_words_of_high_entropy_are_found_without_a_name() -> None:
    chance = random.Random(5)
    missed = sum(not find_secrets(f"use {some(chance, 40)} there") for _ in range(2_000))
    assert missed <= 20


def _corpora() -> list[str]:
    chance = random.Random(3)
    texts = [path.read_text() for folder in ("metadata", "console", "flows") for path in (ROOT / folder).rglob("*.py")]
    texts += [path.read_text() for path in (ROOT / "metadata/checks/pages").glob("*.md") if path.stem != "PH150"]
    texts += [path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.rglob("tests/**/*.yaml")]]
    for number in range(500):
        digest = hashlib.sha256(str(number).encode())
        texts += [
            digest.hexdigest(),
            f"key: {digest.hexdigest()}",
            f"commit {digest.hexdigest()[:40]} of Dataset2013",
            f"sha256-{base64.b64encode(digest.digest()).decode()}",
            f"integrity sha512:{base64.b64encode(digest.digest() * 2).decode()}",
            f"token={uuid.UUID(int=chance.getrandbits(128))}",
            base64.b64encode(f"a text of Nothing secret, number {number}, with 3 Lines\n".encode()).decode(),
            "data:image/png;base64," + base64.b64encode(b"\x89PNG" + chance.randbytes(60)).decode(),
            f"s3a://Lake{number}/Bronze/Flights2013/Q1/part-00000-{uuid.UUID(int=chance.getrandbits(128))}-c000.parquet",
        ]
    return texts


PLAIN = [
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "lightgbm.sklearn.LGBMClassifierWithManyV2Options3AndMore4",
    "SELECT u.password, s.password FROM u JOIN s ON u.password=s.password AND u.api_key = s.api_key",
    "SELECT coalesce(password, '') AS pwd, sha2(access_token, 256) AS token FROM bronze.users WHERE key = 'flight'",
    "WHERE token = :token AND password IS NOT NULL AND key=:key",
    "columns: {access_token: string, api_key: varchar(40), password: text}",
    "keys: [flight, day]\nkey: bronze_orders_2013_v2_of_all_carriers",
    "The password is asked for at launch; the token is in the environment.",
    "url: env:CRM_URL, password: env:PASSWORD, token: file:/run/secrets/crm",
    "postgresql://USER:PASSWORD@host/x and postgresql://app@host/x and http://localhost:4200/api@2",
    "abfss://landing@account.dfs.core.windows.net/flights",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9dE1 ann@ops",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUF\n-----END CERTIFICATE-----",
    "/Users/Ann/Work/DataV2/Flights2013/Q1/M05/D11/FlightsByCarrierAndDay.parquet",
    "docker run -u 1000:1000 curl", "curl -u $USER:$PASSWORD http://h:1/x", "curl -o out:put http://h:8080/to:day",
    "curl -O http://x && docker run -u 1000:1000 img", "curl -s http://h/f | chown -Ru ann:staff /x",
    "curl http://h/x.tgz | tar -xu --owner=root:root", "curl https://h/a -o b; rsync -au src:dst/ x",
    "as in `curl -u NAME:PASSWORD`, or `curl -u NAME:PASSWORD h`",
    "We curl it -menu starters:mains", "curl -HUser-Agent:foo/1.0 http://x", "curl -durl=https://example.com/x",
    "0 6 2 * *", "Europe/Berlin", "arr_delay > 15 and dep_delay is not null", "2013-05-01T00:00:00+00:00",
    "psi > 0.1 && has(outcome.drift)", "risk-adjusted-sk-learn-pipeline-for-late-arrivals", "task-key-of-the-first-one",
]  # fmt: skip


def test_nothing_of_the_repository_no_hash_and_no_text_in_base64_is_taken_for_a_secret() -> None:
    wrong = [text[one.start : one.end] for text in [*PLAIN, *_corpora()] for one in find_secrets(text)]
    assert wrong in ([], ["changeit"])  # what Java calls the password of a store that has none


def test_a_document_is_refused_at_the_line_and_no_error_repeats_the_secret() -> None:
    text = f"datasets:\n  a:\n    layer: {GITHUB}\n  b:\n    description: fine\n"
    with pytest.raises(DocumentError) as refused:
        read_text(text)
    assert GITHUB not in str(refused.value) + refused.value.fault.detail + repr(refused.value.findings)
    assert refused.value.findings[0].line == 3


def test_no_fault_says_a_secret() -> None:
    said = Fault(code="PH1", thing=f"a {GITHUB}", cause="postgresql://u:hunter22@h", remedy="x", detail=f"at\n{GITHUB}")
    assert GITHUB not in said.model_dump_json() and "hunter22" not in said.model_dump_json()


@pytest.mark.parametrize("field", ["description", "owner", "tags"])
def test_a_definition_with_a_secret_is_neither_staged_nor_applied(database: Database, field: str) -> None:
    value = [GITHUB] if field == "tags" else GITHUB
    document = Blueprint.model_validate({"datasets": {"a": {field: value}}})
    for door in (lambda: stage(database, "ann", document), lambda: put(database, document)):
        with pytest.raises(PilothouseError, match="PH150") as refused:
            door()
        assert GITHUB not in str(refused.value)
    assert load_staged(database, "ann").kept == []


def test_notes_parameters_and_log_lines_keep_no_secret(database: Database) -> None:
    put(database, orders())
    for door in (
        lambda: put(database, Blueprint.model_validate({"datasets": {"x": {}}}), note=f"for {GITHUB}"),
        lambda: anchor(database, "ann", f"see {GITHUB}"),
    ):
        with pytest.raises(UsageError, match="PH840 note") as refused:
            door()
        assert GITHUB not in str(refused.value)
    run = launch(database)
    plan = load_plan(database, run.plan_hash)
    for bindings in ({"day": GITHUB}, {"db_password": "tulip"}):
        with pytest.raises(UsageError, match="PH840 run of orders"):
            create_run(database, plan, revision=1, bindings=bindings, as_of=run.as_of, trigger="manual", author="ann")
    write_lines(database, [LogLine(run.id, 1, "clean", run.as_of, "INFO", f"connects with {GITHUB}")], 100)
    (line,) = read_lines(database, run.id)
    assert line.message == "connects with •••GitHub token•••"
    with database.read() as connection:
        assert GITHUB not in str(connection.execute(select(tables.audit)).all())


def test_a_note_is_asked_for_where_the_settings_say_so(database: Database) -> None:
    strict = Settings(notes="required", note_length=8)
    document = Blueprint.model_validate({"datasets": {"x": {}}})
    for note in ("", "  short  "):
        with pytest.raises(UsageError, match="PH841 note") as refused:
            apply(database, document, author="ann", note=note, settings=strict)
        assert "at least 8 characters" in refused.value.fault.remedy
    made = apply(database, document, author="ann", note="for the audit", settings=strict)
    assert made is not None and made.note == "for the audit"
