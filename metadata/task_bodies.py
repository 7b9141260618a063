"""Tasks in what pipelines say (JSON), told by their uids. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from metadata.kinds import Blueprint

Body = Mapping[str, Any]


def tasks_in(body: Body | None) -> dict[str, tuple[str, dict[str, Any]]]:
    """Key and content of each task, by uid; none in what is no pipeline, or not there."""
    return {task["uid"]: (key, task) for key, task in (body or {}).get("tasks", {}).items()}


def homes_of(blueprint: Blueprint) -> dict[str, str]:
    """The pipeline (uid) in which each task (uid) stands."""
    return {task.uid: pipeline.uid for pipeline in blueprint.pipelines.values() for task in pipeline.tasks.values()}


def without(body: Body, uids: Collection[str]) -> dict[str, Any]:
    """The content of a pipeline without some of its tasks."""
    tasks = {key: task for key, task in body.get("tasks", {}).items() if task["uid"] not in uids}
    return _with_tasks(body, tasks)


def with_task(body: Body, key: str, task: Body) -> dict[str, Any]:
    """The content of a pipeline with one more task, or another content of one (told by its uid)."""
    tasks = {name: each for name, each in body.get("tasks", {}).items() if each["uid"] != task["uid"]}
    return _with_tasks(body, {**tasks, key: task})


def with_former_uids(body: Body, former: Body, known: Collection[str]) -> dict[str, Any]:
    """The content of a pipeline whose new tasks are those that stood `former` under their keys; none is of `known`."""
    before, here = former.get("tasks", {}), tasks_in(body)
    tasks: dict[str, Any] = {}
    for key, task in body.get("tasks", {}).items():
        was = before.get(key, {})
        again = task["uid"] not in known and was.get("kind") == task["kind"]
        again = again and was["uid"] not in here and was["uid"] not in known
        tasks[key] = {**task, "uid": was["uid"]} if again else task
    return _with_tasks(body, tasks)


def _with_tasks(body: Body, tasks: Body) -> dict[str, Any]:
    found = {**body, "tasks": tasks}
    return found if tasks else {name: value for name, value in found.items() if name != "tasks"}
