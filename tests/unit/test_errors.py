"""Which exit code each way to fail has, and what two messages say."""

from __future__ import annotations

from harness import errors
from harness.errors import EXIT_HARNESS, EXIT_USAGE, BpfmatrixError, CompileError, DeadlineError

THE_USERS = {
    "BuildError",
    "CompileError",
    "ConfigError",
    "JournalError",
    "HistoryError",
    "KernelBuildError",
    "KernelFileError",
    "ObjectFileError",
    "SiteError",
    "UsageError",
}
"""What the user's own files or words are to blame for; all else is ours, or the host's."""


def test_what_the_user_has_to_fix_ends_with_2_and_all_else_with_3() -> None:
    ways = [way for way in vars(errors).values() if isinstance(way, type) and way.__module__ == errors.__name__]
    codes = {way.__name__: way.exit_code for way in ways if issubclass(way, BpfmatrixError)}
    assert len(codes) == len(ways), "each is one that the user sees without a traceback"
    assert {name for name, code in codes.items() if code == EXIT_USAGE} == THE_USERS
    assert set(codes.values()) == {EXIT_USAGE, EXIT_HARNESS}


def test_a_compilers_text_is_in_the_message_and_by_itself() -> None:
    error = CompileError("a.bpf.c does not compile", log="a.bpf.c:1: error: no")
    assert (error.reason, error.log) == ("a.bpf.c does not compile", "a.bpf.c:1: error: no")
    assert str(error) == "a.bpf.c does not compile:\na.bpf.c:1: error: no"
    assert str(CompileError("a.bpf.c does not compile")) == "a.bpf.c does not compile"


def test_a_deadline_says_which_and_how_long_it_was() -> None:
    error = DeadlineError("boot", 60.0, "waiting for the guest's SSH service")
    assert (error.deadline, error.seconds) == ("boot", 60.0)
    assert str(error) == "the boot deadline of 60 s passed while waiting for the guest's SSH service"
