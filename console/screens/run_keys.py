"""The keys that act on a run: launch, cancel, run again, release. For every screen with a run under its cursor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.chosen import Chosen, Hold
from console.mending import START
from console.places import Place
from console.screens.ask import Ask
from console.screens.base import BaseScreen
from console.screens.keys import key
from console.service_view import waits_for
from console.text import joined, stacked, state_content, styled
from metadata.states import State

if TYPE_CHECKING:
    from metadata.database import Database

LOG = "log"
"""The part of a run that `o` opens, wherever it is pressed."""
MOST_HOLDS = 9
"""Holds of one run that are offered, each by its digit."""


class RunKeys(BaseScreen):
    """A screen whose cursor stands on runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("l", "launch", "launch", help="launch a pipeline: a form with its parameters"),
        key("x", "cancel", "cancel", help="cancel the run, after asking"),
        key("r", "again", "run again", help="run again: what failed, all tasks, or a new run on its plan"),
        key("a", "release", "release", help="release what a decision holds"),
    ]

    @abstractmethod
    def chosen(self) -> Chosen:
        """What is under the cursor."""

    def unavailable(self, name: str) -> str:
        """Why a run cannot be acted on."""
        one = self.chosen()
        there, state = f"run {one.number}", one.state
        if name in ("cancel", "again") and (not one.run_id or state is None):
            return "there is no run under the cursor"
        if name == "cancel" and state is not None and state.final:
            return f"{there} is {state} already"
        if name == "cancel" and state is State.CANCELLING:
            return f"{there} is being cancelled"
        if name == "again" and state is not None and not state.final:
            return f"{there} is still {state}; cancel it first (x)"
        if name == "release" and not one.holds:
            return "nothing is held here"
        return super().unavailable(name)

    def do_launch(self) -> None:
        """`l`"""
        launch(self, self.chosen().pipeline)

    def do_cancel(self) -> None:
        """`x`"""
        one = self.chosen()
        question = _question("cancel", one)
        note = joined("its Spark jobs stop in seconds; what it wrote so far stays whole", "")

        def answered(answer: str | None) -> None:
            if answer == "y":
                self.say(f"cancelling run {one.number} …", "quiet")
                what = f"cancel run {one.number} of {one.pipeline}"
                self.act("cancelled", what, lambda: _cancel(one, self.session.author))

        self.app.push_screen(Ask(question, [("y", "cancel it")], note), answered)

    def got_cancelled(self, number: int) -> None:
        """The cancellation is asked for."""
        waits = f" as soon as services are up ({START})" if waits_for(self.session.standing.services) else ""
        self.say(f"run {number} is being cancelled{waits}")
        self.reload()

    def do_again(self) -> None:
        """`r`"""
        one = self.chosen()
        answers = [
            ("a", "all tasks: full ones anew, incremental ones what is new"),
            ("p", "a new run on its plan, as of the same instant"),
        ]
        if one.state is not State.SUCCEEDED:
            answers.insert(0, ("f", "failed only: what succeeded is not done again"))
        question = _question("run again", one)

        def answered(answer: str | None) -> None:
            if answer == "p":
                what = f"run {one.number} of {one.pipeline} once more, on its plan"
                self.act("renewed", what, lambda: _repeat(one, self.session.author))
            elif answer:
                mode = "failed" if answer == "f" else "all"
                what = f"run {one.number} of {one.pipeline} again"
                self.act("repeated", what, lambda: _again(one, mode, self.session.author))

        ask = Ask(question, answers, state_content(one.state) if one.state else "")
        self.app.push_screen(ask, answered)
        self.session.store.read(self, "standing", lambda database: (ask, one, _standing(database, one)))

    def got_standing(self, value: tuple[Ask, Chosen, str]) -> None:
        """Whether the plan is today's: it is said where it is asked for."""
        ask, one, words = value
        if words and one.state:
            ask.tell(stacked([state_content(one.state), styled(words, "warn")]))

    def got_renewed(self, number: int) -> None:
        """A new run is on its way."""
        self.say(f"run {number} is queued, on the plan of the one before")
        if self.in_front:
            self.go(Place("run", str(number)))
        self.reload()

    def got_repeated(self, number: int) -> None:
        """A new attempt is on its way."""
        self.say(f"run {number} runs again")
        if self.in_front:
            self.go(Place("run", str(number)))
        self.reload()

    def do_release(self) -> None:
        """`a`"""
        ask_to_release(self, self.chosen().holds)

    def got_released(self, _value: object) -> None:
        """The hold is gone."""
        self.say("released; the next run takes it along")
        self.reload()


def launch(screen: BaseScreen, pipeline: str) -> None:
    """The form that launches a pipeline (none: it asks which); then to the run."""
    from console.screens.launch import LaunchScreen

    def launched(number: int | None) -> None:
        if number:
            screen.go(Place("run", str(number)))

    screen.app.push_screen(LaunchScreen(screen.session, pipeline), launched)


def ask_to_release(screen: BaseScreen, holds: Sequence[Hold], note: str = "") -> None:
    """Ask whether a hold is to be let go, or which of several, each by its digit; the screen gets `released`."""
    if len(holds) == 1:
        by_key = {"y": holds[0]}
        answers = [("y", "release it: the next run reads it")]
        question = joined(("release what ", "strong"), (str(holds[0]), "accent"), (" holds ?", "strong"))
    else:
        by_key = {str(at): hold for at, hold in enumerate(holds[:MOST_HOLDS], 1)}
        answers = [(digit, f"what {hold} holds") for digit, hold in by_key.items()]
        question = joined(("release what is held by which rule ?", "strong"))

    def answered(answer: str | None) -> None:
        if answer:
            hold, author = by_key[answer], screen.session.author
            screen.act("released", f"release what {hold} holds", lambda: _release(hold, author))

    screen.app.push_screen(Ask(question, answers, note), answered)


def _question(what: str, one: Chosen) -> Content:
    about = f"  {one.as_of} ?" if one.as_of else " ?"
    return joined((f"{what} ", "strong"), (f"run {one.number} of {one.pipeline}", "accent"), about)


def _cancel(one: Chosen, author: str) -> int:
    from flows import client

    client.cancel(one.run_id, author)
    return one.number


def _again(one: Chosen, mode: str, author: str) -> int:
    from flows import client

    client.again(one.run_id, mode, author)
    return one.number


def _repeat(one: Chosen, author: str) -> int:
    from flows import client

    return client.repeat(one.run_id, author).number


def _standing(database: Database, one: Chosen) -> str:
    from metadata.rows.repeating import standing_of  # loads the kinds of definitions

    return standing_of(database, one.run_id).words


def _release(hold: Hold, author: str) -> None:
    from flows import client

    client.release(hold.decision, author)
