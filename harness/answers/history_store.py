"""The answers of many runs in one SQLite file: put in run by run, as often as one likes, and read as a whole."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.answers.history import Answer
from harness.answers.order import Build
from harness.answers.seen import Place
from harness.errors import HistoryError
from harness.model.results import Verdict

SCHEMA = 1
_COLUMNS = (
    *("run", "started", "kernel", "name", "part", "arch", "distribution", "number", "exact"),
    *("verdict", "signature", "works", "shown", "inputs"),
)
_TABLE = f"""
CREATE TABLE IF NOT EXISTS answers (
    {", ".join(f"{column} {'INTEGER' if column == 'works' else 'TEXT'} NOT NULL" for column in _COLUMNS)},
    PRIMARY KEY (run, kernel, name, part)
) WITHOUT ROWID
"""


def put(path: Path, answers: Iterable[Answer]) -> int:
    """Put the answers of runs into a file, which is made where it is missing; return how many rows it has then.

    A run that is there already is replaced: putting it in twice changes nothing. Raises HistoryError where the file
    cannot be written, or is none of ours.
    """
    found = list(answers)
    with _opened(path) as database:
        database.executemany("DELETE FROM answers WHERE run = ?", [(run,) for run in {each.run for each in found}])
        marks = ", ".join("?" * len(_COLUMNS))
        database.executemany(
            f"INSERT INTO answers ({', '.join(_COLUMNS)}) VALUES ({marks})",
            [_row(each) for each in found],
        )
        return int(database.execute("SELECT count(*) FROM answers").fetchone()[0])


def answers_in(path: Path) -> list[Answer]:
    """Return all answers of a file; raise HistoryError where it is none of ours."""
    with _opened(path) as database:
        return [_answer(row) for row in database.execute(f"SELECT {', '.join(_COLUMNS)} FROM answers")]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        database = sqlite3.connect(path)
        try:
            with database:
                _check(path, database)
                yield database
        finally:
            database.close()
    except sqlite3.Error as error:
        raise HistoryError(
            f"{path}: {error}. It must be a file that `history --db` has written; name another one to begin again."
        ) from error


def _check(path: Path, database: sqlite3.Connection) -> None:
    """Make the table where the file is new; raise HistoryError where the file is another program's or version's."""
    (schema,) = database.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if schema not in (0, SCHEMA) or (schema == 0 and tables):
        raise HistoryError(
            f"{path} is no history of this bpfmatrix (schema {schema}, this one has {SCHEMA}); name another file"
        )
    database.execute(_TABLE)
    database.execute(f"PRAGMA user_version = {SCHEMA}")


def _row(answer: Answer) -> tuple[str | int, ...]:
    place, build = answer.place, answer.build
    return (
        *(answer.run, answer.started, place.kernel, place.case, place.part),
        *(build.arch, build.distribution, build.number, build.exact),
        *(str(answer.verdict), answer.signature, int(answer.works), answer.shown, answer.inputs),
    )


def _answer(row: tuple[str | int, ...]) -> Answer:
    run, started, kernel, case, part, arch, distribution, number, exact, verdict, signature, works, shown, inputs = (
        str(each) for each in row
    )
    return Answer(
        run=run,
        started=started,
        place=Place(kernel=kernel, case=case, part=part),
        build=Build(arch=arch, distribution=distribution, number=number, exact=exact, name=kernel),
        verdict=Verdict(verdict),
        signature=signature,
        works=works == "1",
        shown=shown,
        inputs=inputs,
    )
