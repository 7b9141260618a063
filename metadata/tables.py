"""The rows that runs leave behind, as SQLAlchemy tables. Times are aware UTC; every `changed` comes from `counter`.

Runtime rows carry uids, without a foreign key to today's definitions: deleting a definition keeps its history.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from metadata.column_types import ID, KEY, WORD, Serial, Utc

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

counter = Table(
    "counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("uid", ID, nullable=False),
)
"""One row: what tells this database from all others, for names on servers that are shared."""

plan = Table(
    "plan",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("pipeline_uid", ID, nullable=False, index=True),
    Column("revision", Integer),
    Column("body", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", ID, primary_key=True),
    Column("number", Serial, nullable=False, unique=True),
    Column("pipeline_uid", ID, nullable=False),
    Column("pipeline_key", KEY, nullable=False),
    Column("plan_hash", String(64), ForeignKey("plan.hash")),
    Column("revision", Integer),
    Column("bindings", JSON, nullable=False),
    Column("as_of", Utc, nullable=False),
    Column("trigger", WORD, nullable=False),
    Column("schedule_uid", ID),
    Column("author", KEY, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("again", WORD),
    Column("state", WORD, nullable=False),
    Column("state_detail", Text, nullable=False, server_default=""),
    Column("fault", JSON(none_as_null=True)),
    Column("cancel_requested", Boolean, nullable=False, server_default="0"),
    Column("flow_run_id", ID, unique=True),
    Column("scheduled_flow_run_id", ID),
    Column("created_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("heartbeat_at", Utc),
    Column("changed", BigInteger, nullable=False, index=True),
    Index("ix_run_pipeline_uid_number_state", "pipeline_uid", "number", "state"),
    Index("ix_run_state_number_pipeline_uid", "state", "number", "pipeline_uid"),
    Index("ix_run_pipeline_uid_state_number", "pipeline_uid", "state", "number"),
    Index("ix_run_pipeline_key_number", "pipeline_key", "number"),
    Index("ix_run_schedule_uid_number", "schedule_uid", "number"),
    Index(
        "ix_run_scheduled_flow_run_id",
        "scheduled_flow_run_id",
        unique=True,
        mssql_where=text("scheduled_flow_run_id IS NOT NULL"),
    ),
    Index("ix_run_author_number", "author", "number"),
    Index("ix_run_trigger_number", "trigger", "number"),
    Index("ix_run_revision_number", "revision", "number"),
    Index("ix_run_created_at", "created_at"),
)
"""`flow_run_id` is that of the newest attempt; `scheduled_flow_run_id`, by which a schedule fired the run, stays."""

task_run = Table(
    "task_run",
    metadata,
    Column("id", ID, primary_key=True),
    Column("run_id", ID, ForeignKey("run.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("task_key", KEY, nullable=False),
    Column("task_uid", ID, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("position", Integer, nullable=False),
    Column("upstream", JSON, nullable=False),
    Column("state", WORD, nullable=False),
    Column("state_detail", Text, nullable=False, server_default=""),
    Column("fault", JSON(none_as_null=True)),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("rows_in", BigInteger),
    Column("rows_out", BigInteger),
    Column("rows_bad", BigInteger),
    Column("progress", JSON(none_as_null=True)),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("heartbeat_at", Utc),
    Column("changed", BigInteger, nullable=False, index=True),
    UniqueConstraint("run_id", "attempt", "task_key"),
    Index("ix_task_run_task_uid_started_at", "task_uid", "started_at"),
)

batch = Table(
    "batch",
    metadata,
    Column("id", ID, primary_key=True),
    Column("dataset_uid", ID, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("state", WORD, nullable=False),
    Column("held", Boolean, nullable=False, server_default="0"),
    Column("run_id", ID, nullable=False, index=True),
    Column("task_run_id", ID, nullable=False),
    Column("task_key", KEY, nullable=False),
    Column("task_uid", ID, nullable=False),
    Column("plan_hash", String(64), ForeignKey("plan.hash"), nullable=False),
    Column("as_of", Utc, nullable=False),
    Column("intent", JSON, nullable=False),
    Column("rows_in", BigInteger),
    Column("rows_out", BigInteger),
    Column("rows_bad", BigInteger),
    Column("quality", JSON(none_as_null=True)),
    Column("version", BigInteger),
    Column("opened_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("changed", BigInteger, nullable=False, index=True),
    UniqueConstraint("dataset_uid", "sequence"),
)

batch_input = Table(
    "batch_input",
    metadata,
    Column("batch_id", ID, ForeignKey("batch.id"), primary_key=True),
    Column("dataset_uid", ID, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("task_uid", ID, nullable=False),
    Index("ix_batch_input_task_uid_dataset_uid_sequence", "task_uid", "dataset_uid", "sequence"),
)

dataset_state = Table(
    "dataset_state",
    metadata,
    Column("dataset_uid", ID, primary_key=True),
    Column("dataset_key", KEY, nullable=False),
    Column("columns", JSON, nullable=False),
    Column("rows", BigInteger),
    Column("version", BigInteger),
    Column("sequence", BigInteger),
    Column("as_of", Utc),
    Column("written_at", Utc),
    Column("changed", BigInteger, nullable=False, index=True),
    Index("ix_dataset_state_written_at_dataset_uid", "written_at", "dataset_uid"),
)

watermark = Table(
    "watermark",
    metadata,
    Column("task_uid", ID, primary_key=True),
    Column("dataset_uid", ID, primary_key=True),
    Column("source", KEY, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("batch_id", ID, ForeignKey("batch.id"), nullable=False),
)

ingested_file = Table(
    "ingested_file",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("task_uid", ID, nullable=False),
    Column("dataset_uid", ID, nullable=False),
    Column("path", String(1024), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified", String(40), nullable=False),
    Column("checksum", String(64), nullable=False, server_default=""),
    Column("batch_id", ID, ForeignKey("batch.id"), nullable=False),
    UniqueConstraint("task_uid", "dataset_uid", "path", "size", "modified", "checksum"),
)

outcome = Table(
    "outcome",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("run_id", ID, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("task_key", KEY, nullable=False),
    Column("subject_kind", WORD, nullable=False),
    Column("subject_uid", ID, nullable=False),
    Column("window_start", Utc),
    Column("window_end", Utc),
    Column("slice", KEY, nullable=False, server_default=""),
    Column("name", KEY, nullable=False),
    Column("value", Float),
    Column("text", Text, nullable=False, server_default=""),
    Column("as_of", Utc, nullable=False),
    Column("changed", BigInteger, nullable=False, index=True),
    Index("ix_outcome_subject_uid_name_window_end", "subject_uid", "name", "window_end"),
    Index("ix_outcome_run_id_task_key", "run_id", "task_key"),
)

model_version = Table(
    "model_version",
    metadata,
    Column("model_uid", ID, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("model_key", KEY, nullable=False),
    Column("run_id", ID, nullable=False),
    Column("task_run_id", ID, nullable=False),
    Column("tracking_run_id", String(64), nullable=False),
    Column("source", String(1024), nullable=False),
    Column("trained_from", Utc, nullable=False),
    Column("trained_until", Utc, nullable=False),
    Column("tested_from", Utc, nullable=False),
    Column("tested_until", Utc, nullable=False),
    Column("rows_trained", BigInteger, nullable=False),
    Column("rows_tested", BigInteger, nullable=False),
    Column("metric", WORD, nullable=False),
    Column("metric_value", Float),
    Column("digest", String(64), nullable=False),
    Column("features", JSON, nullable=False),
    Column("reference", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("changed", BigInteger, nullable=False, index=True),
)

alias_history = Table(
    "alias_history",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("model_uid", ID, nullable=False, index=True),
    Column("alias", WORD, nullable=False),
    Column("version", Integer),
    Column("previous", Integer),
    Column("run_id", ID),
    Column("author", KEY, nullable=False),
    Column("reason", Text, nullable=False),
    Column("as_of", Utc, nullable=False),
    Column("at", Utc, nullable=False),
    Column("changed", BigInteger, nullable=False, index=True),
)

decision = Table(
    "decision",
    metadata,
    Column("id", ID, primary_key=True),
    Column("number", Serial, nullable=False, unique=True),
    Column("run_id", ID, nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("task_key", KEY, nullable=False),
    Column("rule_uid", ID, nullable=False),
    Column("rule_key", KEY, nullable=False),
    Column("state", WORD, nullable=False),
    Column("reason", Text, nullable=False),
    Column("expression", Text, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("actions", JSON, nullable=False),
    Column("as_of", Utc, nullable=False),
    Column("decided_at", Utc, nullable=False),
    Column("waits", Boolean, nullable=False, server_default="0"),
    Column("released_by", KEY),
    Column("released_at", Utc),
    Column("changed", BigInteger, nullable=False, index=True),
    UniqueConstraint("run_id", "attempt", "task_key", "rule_uid"),
    Index("ix_decision_rule_uid_as_of", "rule_uid", "as_of"),
    Index("ix_decision_rule_uid_number", "rule_uid", "number"),
    Index("ix_decision_waits_number", "waits", "number"),
    Index("ix_decision_state_number", "state", "number"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("actor", KEY, nullable=False),
    Column("origin", KEY, nullable=False),
    Column("deed", WORD, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("uid", ID, nullable=False),
    Column("key", KEY, nullable=False),
    Column("of", Serial),
    Column("note", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signer", WORD, nullable=False),
    Column("signature", String(64), nullable=False),
    Index("ix_audit_actor_number", "actor", "number"),
    Index("ix_audit_deed_number", "deed", "number"),
    Index("ix_audit_kind_of", "kind", "of"),
)
"""What was done, by whom and from where: each row in the transaction of what it records, chained, and signed."""

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Serial, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", String(64), nullable=False),
)
"""One row: the newest of `audit`, once more, so that its removal shows."""

lineage_edge = Table(
    "lineage_edge",
    metadata,
    Column("pipeline_uid", ID, primary_key=True),
    Column("task_uid", ID, primary_key=True),
    Column("from_kind", WORD, primary_key=True),
    Column("from_uid", ID, primary_key=True),
    Column("to_kind", WORD, primary_key=True),
    Column("to_uid", ID, primary_key=True),
    Column("task_key", KEY, nullable=False),
    Column("plan_hash", String(64), nullable=False),
    Index("ix_lineage_edge_to_uid", "to_uid"),
    Index("ix_lineage_edge_from_uid", "from_uid"),
)

task_log = Table(
    "task_log",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("run_id", ID, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("task_key", KEY, nullable=False, server_default=""),
    Column("at", Utc, nullable=False),
    Column("level", WORD, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_task_log_run_id_id", "run_id", "id"),
)
