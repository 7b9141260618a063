"""Everything that the first version keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mssql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime().with_variant(mssql.DATETIME2(6), "mssql")  # type: ignore[no-untyped-call]
"""To the microsecond: DATETIME rounds in SQL Server."""


def upgrade() -> None:
    """Everything that the first version keeps."""
    nulls_are_alike = op.get_context().dialect.name == "mssql"
    op.create_table(
        "alias_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_uid", sa.String(length=36), nullable=False),
        sa.Column("alias", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_history")),
    )
    with op.batch_alter_table("alias_history", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alias_history_changed"), ["changed"], unique=False)
        batch_op.create_index(batch_op.f("ix_alias_history_model_uid"), ["model_uid"], unique=False)

    op.create_table(
        "counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter")),
    )
    op.create_table(
        "dataset_state",
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("dataset_key", sa.String(length=255), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("as_of", INSTANT, nullable=True),
        sa.Column("written_at", INSTANT, nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dataset_uid", name=op.f("pk_dataset_state")),
    )
    with op.batch_alter_table("dataset_state", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dataset_state_changed"), ["changed"], unique=False)

    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("task_key", sa.String(length=255), nullable=False),
        sa.Column("rule_uid", sa.String(length=36), nullable=False),
        sa.Column("rule_key", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expression", sa.Text(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("waits", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("released_by", sa.String(length=255), nullable=True),
        sa.Column("released_at", INSTANT, nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("number", name=op.f("uq_decision_number")),
        sa.UniqueConstraint(
            "run_id", "attempt", "task_key", "rule_uid", name=op.f("uq_decision_run_id_attempt_task_key_rule_uid")
        ),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_changed"), ["changed"], unique=False)
        batch_op.create_index("ix_decision_rule_uid_as_of", ["rule_uid", "as_of"], unique=False)
        batch_op.create_index("ix_decision_rule_uid_number", ["rule_uid", "number"], unique=False)
        batch_op.create_index(batch_op.f("ix_decision_run_id"), ["run_id"], unique=False)
        batch_op.create_index("ix_decision_state_number", ["state", "number"], unique=False)
        batch_op.create_index("ix_decision_waits_number", ["waits", "number"], unique=False)

    op.create_table(
        "definition",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("revision_created", sa.Integer(), nullable=False),
        sa.Column("revision_changed", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_definition")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_definition_kind_key")),
    )
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_definition_changed"), ["changed"], unique=False)
        batch_op.create_index("ix_definition_kind_position", ["kind", "position"], unique=False)

    op.create_table(
        "lineage_edge",
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.Column("from_kind", sa.String(length=32), nullable=False),
        sa.Column("from_uid", sa.String(length=36), nullable=False),
        sa.Column("to_kind", sa.String(length=32), nullable=False),
        sa.Column("to_uid", sa.String(length=36), nullable=False),
        sa.Column("task_key", sa.String(length=255), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint(
            "pipeline_uid", "task_uid", "from_kind", "from_uid", "to_kind", "to_uid", name=op.f("pk_lineage_edge")
        ),
    )
    with op.batch_alter_table("lineage_edge", schema=None) as batch_op:
        batch_op.create_index("ix_lineage_edge_from_uid", ["from_uid"], unique=False)
        batch_op.create_index("ix_lineage_edge_to_uid", ["to_uid"], unique=False)

    op.create_table(
        "model_version",
        sa.Column("model_uid", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model_key", sa.String(length=255), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("task_run_id", sa.String(length=36), nullable=False),
        sa.Column("tracking_run_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=1024), nullable=False),
        sa.Column("trained_from", INSTANT, nullable=False),
        sa.Column("trained_until", INSTANT, nullable=False),
        sa.Column("tested_from", INSTANT, nullable=False),
        sa.Column("tested_until", INSTANT, nullable=False),
        sa.Column("rows_trained", sa.BigInteger(), nullable=False),
        sa.Column("rows_tested", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.String(length=32), nullable=False),
        sa.Column("metric_value", sa.Float(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("reference", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model_uid", "version", name=op.f("pk_model_version")),
    )
    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_model_version_changed"), ["changed"], unique=False)

    op.create_table(
        "outcome",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("task_key", sa.String(length=255), nullable=False),
        sa.Column("subject_kind", sa.String(length=32), nullable=False),
        sa.Column("subject_uid", sa.String(length=36), nullable=False),
        sa.Column("window_start", INSTANT, nullable=True),
        sa.Column("window_end", INSTANT, nullable=True),
        sa.Column("slice", sa.String(length=255), server_default="", nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome")),
    )
    with op.batch_alter_table("outcome", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outcome_changed"), ["changed"], unique=False)
        batch_op.create_index("ix_outcome_run_id_task_key", ["run_id", "task_key"], unique=False)
        batch_op.create_index(
            "ix_outcome_subject_uid_name_window_end", ["subject_uid", "name", "window_end"], unique=False
        )

    op.create_table(
        "plan",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_plan")),
    )
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_pipeline_uid"), ["pipeline_uid"], unique=False)

    op.create_table(
        "revision",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("applied_at", INSTANT, nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revision")),
    )
    with op.batch_alter_table("revision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_revision_changed"), ["changed"], unique=False)

    op.create_table(
        "task_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("task_key", sa.String(length=255), server_default="", nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("level", sa.String(length=32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_log")),
    )
    with op.batch_alter_table("task_log", schema=None) as batch_op:
        batch_op.create_index("ix_task_log_run_id_id", ["run_id", "id"], unique=False)

    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("held", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("task_run_id", sa.String(length=36), nullable=False),
        sa.Column("task_key", sa.String(length=255), nullable=False),
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("intent", sa.JSON(), nullable=False),
        sa.Column("rows_in", sa.BigInteger(), nullable=True),
        sa.Column("rows_out", sa.BigInteger(), nullable=True),
        sa.Column("rows_bad", sa.BigInteger(), nullable=True),
        sa.Column("quality", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plan_hash"], ["plan.hash"], name=op.f("fk_batch_plan_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("dataset_uid", "sequence", name=op.f("uq_batch_dataset_uid_sequence")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batch_changed"), ["changed"], unique=False)
        batch_op.create_index(batch_op.f("ix_batch_run_id"), ["run_id"], unique=False)

    op.create_table(
        "connection",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("nulls", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("delimiter", sa.Text(), nullable=True),
        sa.Column("header", sa.Boolean(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_connection_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_connection")),
    )
    op.create_table(
        "dataset",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("layer", sa.Text(), nullable=True),
        sa.Column("schema_drift", sa.Text(), nullable=False),
        sa.Column("fresh_within", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_dataset_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_dataset")),
    )
    op.create_table(
        "decision_rule",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("when", sa.Text(), nullable=False),
        sa.Column("cooldown", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_decision_rule_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_decision_rule")),
    )
    op.create_table(
        "dependency",
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("task", sa.String(length=255), nullable=False),
        sa.Column("after", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_uid"], ["definition.uid"], name=op.f("fk_dependency_pipeline_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pipeline_uid", "task", "after", name=op.f("pk_dependency")),
    )
    op.create_table(
        "feature_set",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("entity", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("event_time", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_feature_set_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_feature_set")),
    )
    op.create_table(
        "model",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("features", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_model_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_model")),
    )
    op.create_table(
        "monitor",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("predictions", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_monitor_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_monitor")),
    )
    op.create_table(
        "pipeline",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_pipeline_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_pipeline")),
    )
    op.create_table(
        "reference",
        sa.Column("from_uid", sa.String(length=36), nullable=False),
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.Column("to_uid", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["from_uid"], ["definition.uid"], name=op.f("fk_reference_from_uid"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["to_uid"], ["definition.uid"], name=op.f("fk_reference_to_uid")),
        sa.PrimaryKeyConstraint("from_uid", "path", "to_uid", name=op.f("pk_reference")),
    )
    with op.batch_alter_table("reference", schema=None) as batch_op:
        batch_op.create_index("ix_reference_to_uid", ["to_uid"], unique=False)

    op.create_table(
        "revision_item",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("key_before", sa.String(length=255), nullable=True),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["revision"], ["revision.number"], name=op.f("fk_revision_item_revision")),
        sa.PrimaryKeyConstraint("revision", "uid", name=op.f("pk_revision_item")),
    )
    with op.batch_alter_table("revision_item", schema=None) as batch_op:
        batch_op.create_index("ix_revision_item_uid", ["uid"], unique=False)

    op.create_table(
        "run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("pipeline_key", sa.String(length=255), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("bindings", sa.JSON(), nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("trigger", sa.String(length=32), nullable=False),
        sa.Column("schedule_uid", sa.String(length=36), nullable=True),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("again", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_detail", sa.Text(), server_default="", nullable=False),
        sa.Column("fault", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("flow_run_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("heartbeat_at", INSTANT, nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plan_hash"], ["plan.hash"], name=op.f("fk_run_plan_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        *([] if nulls_are_alike else [sa.UniqueConstraint("flow_run_id", name=op.f("uq_run_flow_run_id"))]),
        sa.UniqueConstraint("number", name=op.f("uq_run_number")),
    )
    if nulls_are_alike:
        known = sa.text("flow_run_id IS NOT NULL")
        op.create_index(op.f("uq_run_flow_run_id"), "run", ["flow_run_id"], unique=True, mssql_where=known)
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_author_number", ["author", "number"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_changed"), ["changed"], unique=False)
        batch_op.create_index("ix_run_created_at", ["created_at"], unique=False)
        batch_op.create_index("ix_run_pipeline_key_number", ["pipeline_key", "number"], unique=False)
        batch_op.create_index("ix_run_pipeline_number", ["pipeline_uid", "number"], unique=False)
        batch_op.create_index("ix_run_pipeline_uid_state_number", ["pipeline_uid", "state", "number"], unique=False)
        batch_op.create_index("ix_run_schedule_uid_number", ["schedule_uid", "number"], unique=False)
        batch_op.create_index("ix_run_state_number", ["state", "number"], unique=False)
        batch_op.create_index("ix_run_trigger_number", ["trigger", "number"], unique=False)

    op.create_table(
        "schedule",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("overlap", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["definition.uid"], name=op.f("fk_schedule_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_schedule")),
    )
    op.create_table(
        "batch_input",
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_batch_input_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "dataset_uid", "sequence", name=op.f("pk_batch_input")),
    )
    with op.batch_alter_table("batch_input", schema=None) as batch_op:
        batch_op.create_index("ix_batch_input_task_uid_dataset_uid", ["task_uid", "dataset_uid"], unique=False)

    op.create_table(
        "dataset_column",
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_uid"], ["dataset.uid"], name=op.f("fk_dataset_column_dataset_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_uid", "name", name=op.f("pk_dataset_column")),
    )
    op.create_table(
        "decision_action",
        sa.Column("decision_uid", sa.String(length=36), nullable=False),
        sa.Column("retrain", sa.Text(), nullable=True),
        sa.Column("promote", sa.Text(), nullable=True),
        sa.Column("hold", sa.Text(), nullable=True),
        sa.Column("alert", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_uid"], ["decision_rule.uid"], name=op.f("fk_decision_action_decision_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("decision_uid", name=op.f("pk_decision_action")),
    )
    op.create_table(
        "estimator",
        sa.Column("model_uid", sa.String(length=36), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_uid"], ["model.uid"], name=op.f("fk_estimator_model_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_uid", name=op.f("pk_estimator")),
    )
    op.create_table(
        "feature",
        sa.Column("feature_set_uid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("expr", sa.Text(), nullable=True),
        sa.Column("default", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("by", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("over", sa.Text(), nullable=True),
        sa.Column("known_after", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["feature_set_uid"], ["feature_set.uid"], name=op.f("fk_feature_feature_set_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("feature_set_uid", "name", name=op.f("pk_feature")),
    )
    op.create_table(
        "ingested_file",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.String(length=40), nullable=False),
        sa.Column("checksum", sa.String(length=64), server_default="", nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_ingested_file_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingested_file")),
        sa.UniqueConstraint(
            "task_uid",
            "dataset_uid",
            "path",
            "size",
            "modified",
            "checksum",
            name=op.f("uq_ingested_file_task_uid_dataset_uid_path_size_modified_checksum"),
        ),
    )
    op.create_table(
        "monitor_reference",
        sa.Column("monitor_uid", sa.String(length=36), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("prediction", sa.Text(), nullable=False),
        sa.Column("performance", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["monitor_uid"], ["monitor.uid"], name=op.f("fk_monitor_reference_monitor_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("monitor_uid", name=op.f("pk_monitor_reference")),
    )
    op.create_table(
        "monitor_threshold",
        sa.Column("monitor_uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("of", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sigmas", sa.Float(), nullable=True),
        sa.Column("chunks", sa.BigInteger(), nullable=True),
        sa.Column("min_rows", sa.BigInteger(), nullable=False),
        sa.Column("min_effect", sa.Float(), nullable=True),
        sa.Column("limits", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["monitor_uid"], ["monitor.uid"], name=op.f("fk_monitor_threshold_monitor_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("monitor_uid", name=op.f("pk_monitor_threshold")),
    )
    op.create_table(
        "monitor_watch",
        sa.Column("monitor_uid", sa.String(length=36), nullable=False),
        sa.Column("features", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("prediction", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("performance", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["monitor_uid"], ["monitor.uid"], name=op.f("fk_monitor_watch_monitor_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("monitor_uid", name=op.f("pk_monitor_watch")),
    )
    op.create_table(
        "parameter",
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("default", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_uid"], ["pipeline.uid"], name=op.f("fk_parameter_pipeline_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pipeline_uid", "name", name=op.f("pk_parameter")),
    )
    op.create_table(
        "promotion_rule",
        sa.Column("model_uid", sa.String(length=36), nullable=False),
        sa.Column("better_than_champion_by", sa.Float(), nullable=False),
        sa.Column("on", sa.Text(), nullable=False),
        sa.Column("at_least", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_uid"], ["model.uid"], name=op.f("fk_promotion_rule_model_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_uid", name=op.f("pk_promotion_rule")),
    )
    op.create_table(
        "quality_rule",
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("expect", sa.Text(), nullable=True),
        sa.Column("unique", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("otherwise", sa.Text(), nullable=False),
        sa.Column("at_most", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataset_uid"], ["dataset.uid"], name=op.f("fk_quality_rule_dataset_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_uid", "name", name=op.f("pk_quality_rule")),
    )
    op.create_table(
        "storage_rule",
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("keys", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("partition_by", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_uid"], ["dataset.uid"], name=op.f("fk_storage_rule_dataset_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_uid", name=op.f("pk_storage_rule")),
    )
    op.create_table(
        "target",
        sa.Column("model_uid", sa.String(length=36), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("known_after", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model_uid"], ["model.uid"], name=op.f("fk_target_model_uid"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_uid", name=op.f("pk_target")),
    )
    op.create_table(
        "task",
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("when", sa.Text(), nullable=True),
        sa.Column("retries", sa.BigInteger(), nullable=False),
        sa.Column("retry_delay", sa.Text(), nullable=False),
        sa.Column("timeout", sa.Text(), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_uid"], ["pipeline.uid"], name=op.f("fk_task_pipeline_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pipeline_uid", "name", name=op.f("pk_task")),
    )
    op.create_table(
        "task_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("task_key", sa.String(length=255), nullable=False),
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("upstream", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_detail", sa.Text(), server_default="", nullable=False),
        sa.Column("fault", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_in", sa.BigInteger(), nullable=True),
        sa.Column("rows_out", sa.BigInteger(), nullable=True),
        sa.Column("rows_bad", sa.BigInteger(), nullable=True),
        sa.Column("progress", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("heartbeat_at", INSTANT, nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_task_run_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_run")),
        sa.UniqueConstraint("run_id", "attempt", "task_key", name=op.f("uq_task_run_run_id_attempt_task_key")),
    )
    with op.batch_alter_table("task_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_run_changed"), ["changed"], unique=False)
        batch_op.create_index("ix_task_run_task_uid_started_at", ["task_uid", "started_at"], unique=False)

    op.create_table(
        "training_window",
        sa.Column("model_uid", sa.String(length=36), nullable=False),
        sa.Column("window", sa.Text(), nullable=True),
        sa.Column("min_history", sa.Text(), nullable=True),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("test", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_uid"], ["model.uid"], name=op.f("fk_training_window_model_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_uid", name=op.f("pk_training_window")),
    )
    op.create_table(
        "watermark",
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.Column("dataset_uid", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_watermark_batch_id")),
        sa.PrimaryKeyConstraint("task_uid", "dataset_uid", "source", name=op.f("pk_watermark")),
    )
    counter = sa.table("counter", sa.column("id", sa.Integer()), sa.column("value", sa.Integer()))
    op.execute(counter.insert().values(id=op.inline_literal(1), value=op.inline_literal(0)))
