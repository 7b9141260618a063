"""Every check, by code: what it finds, why that matters, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check, for people who look a code up."""

    title: str
    meaning: str
    remedy: str


CHECKS: dict[str, Check] = {
    "PH100": Check("no document", "A file is missing, is no text, or holds no definition.", "Name a YAML file."),
    "PH101": Check(
        "no YAML", "The text is not well-formed, or too large.", "Mend the line; quote texts with , or ': '."
    ),
    "PH102": Check("unread YAML", "Anchors, aliases, tags and keys that are no words are refused.", "Write it out."),
    "PH103": Check("twice", "One key stands twice, within a file or in two files.", "Keep one of them."),
    "PH104": Check("unknown section", "A top-level key is no kind of definition.", "Write the nearest kind."),
    "PH105": Check("unfit value", "A key is unknown or missing, or a value is not of its type.", "See the remedy."),
    "PH106": Check("cut text", "A text within {…} was cut at its first comma.", "Put it in quotes."),
    "PH110": Check("dangling reference", "A definition names one that is not there.", "Define it, or mend the name."),
    "PH111": Check(
        "kinds do not fit", "Files are read from a database, or a table from a folder.", "Swap one of them."
    ),
    "PH112": Check("cycle", "Tasks wait for each other, so that none of them can start.", "Take one dependency out."),
    "PH113": Check(
        "unreachable task", "A task waits for what never happens.", "Let a task write it, or drop the task."
    ),
    "PH114": Check("renamed twice", "Two definitions say that they were the same one.", "Keep one `was`."),
    "PH115": Check("no key", "The key of a task is no word.", "Lower-case letters, digits and _."),
    "PH116": Check(
        "clashing task", "A decision brings along a task whose key is taken.", "Rename, or decide in one task."
    ),
    "PH117": Check("reads nothing", "`reads` names a dataset that the task does not read.", "Take the line out."),
    "PH120": Check(
        "refused SQL", "SQL that cannot be read, writes, or reaches beyond datasets.", "One SELECT over keys."
    ),
    "PH121": Check(
        "unknown column in SQL", "A query names a column that its tables lack.", "Write the nearest column."
    ),
    "PH122": Check(
        "unknown parameter", "SQL, a guard or a schedule uses a parameter that is not there.", "Declare it."
    ),
    "PH123": Check("refused expression", "A predicate, feature or label that is unsafe or unreadable.", "Mend it."),
    "PH124": Check("unknown column", "A key, rule or feature names a column that the dataset lacks.", "Mend the name."),
    "PH125": Check("unfit column name", "A column begins with _, which is reserved, or stands twice.", "Rename it."),
    "PH126": Check(
        "columns differ", "A query does not give the columns that its dataset declares.", "Make them the same."
    ),
    "PH127": Check("no such decimal", "Spark has no decimal of that many digits.", "decimal(p,s), 1 ≤ p ≤ 38, s ≤ p."),
    "PH130": Check("merge without keys", "Rows cannot be merged without keys.", "Give keys."),
    "PH131": Check("rows twice", "Rows that are read again are appended again.", "Merge by keys, or read new batches."),
    "PH132": Check("rows lost", "New rows alone replace the whole table.", "Merge by keys or append, or read all."),
    "PH133": Check("rule twice", "Two quality rules of a dataset say the same.", "Keep one."),
    "PH134": Check("unordered writers", "Two tasks write one dataset, in no order.", "Say `after` in one of them."),
    "PH135": Check(
        "predictions lost", "Rows without a prediction alone are scored.", "Merge by the entity, or append."
    ),
    "PH136": Check(
        "ties at the watermark", "A row with the same time as the newest one may come after it.", "Give a lookback."
    ),
    "PH150": Check(
        "secret in the blueprint", "A credential stands where a reference belongs.", "env:NAME or file:PATH."
    ),
    "PH151": Check("path out of the root", "A path leads out of the data root.", "Write a path below it."),
    "PH152": Check("unknown file format", "The pattern does not tell what kind of file it is.", "Set format."),
    "PH153": Check("bad cron", "The schedule cannot be read, or never fires.", "Five fields, as in 0 6 2 * *."),
    "PH154": Check("unknown time zone", "No time zone has that name.", "A name such as Europe/Berlin."),
    "PH160": Check("unfit feature", "A feature's window and expression do not fit.", "See the remedy."),
    "PH161": Check(
        "estimator refused", "The settings do not allow that import path.", "Name an estimator of an allowed one."
    ),
    "PH162": Check("metric does not fit", "The metric is not of that kind of model, or measures nothing.", "Name one."),
    "PH164": Check(
        "no predictions", "A monitor's dataset holds no predictions of its model.", "Name the dataset of infer."
    ),
    "PH165": Check("cannot be retrained", "A rule retrains a model that no task trains.", "Add a train task."),
    "PH166": Check(
        "cannot be held", "A rule holds a task of which nothing can wait.", "Name one that reads what is appended."
    ),
    "PH167": Check("features not there", "A model's feature set is not materialised.", "Add a features task."),
    "PH168": Check("never asked", "A rule is in no decide task, or its monitor in no monitor task.", "Add the task."),
    "PH169": Check(
        "holds and rests", "A rule that holds has a cooldown.", "Give the hold a rule of its own, without one."
    ),
    "PH170": Check("bad rule", "A CEL expression cannot be read.", "Mend it."),
    "PH171": Check("unknown input", "A rule or guard reads what nobody measures.", "Watch it, or name another."),
    "PH172": Check(
        "promotes what it retrains", "A rule promotes a model that a rule of the same task retrains.", "Leave one out."
    ),
    "PH173": Check(
        "partners may miss each other", "A task joins two inputs, of each only the new batches.", "Read one as all."
    ),
}
"""Checks by code."""
