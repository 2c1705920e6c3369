"""The end of a case that cannot begin."""

from __future__ import annotations

import errno

from harness.agent.precondition import missing_function, unmet


def test_it_is_complete_and_says_what_is_not_there() -> None:
    error = OSError(errno.ENOENT, "No such file or directory")
    assert unmet("sysctl", "net.core.x", value=1, error=error, missing=True, found="0") == {
        "complete": True,
        "signal": None,
        "timed_out": False,
        "precondition": {
            "cause": "sysctl",
            "name": "net.core.x",
            "value": 1,
            "errno_name": "ENOENT",
            "missing": True,
            "found": "0",
        },
    }


def test_an_error_without_a_number_has_no_name() -> None:
    found = unmet("kconfig", "CONFIG_X", value=["y"], error=OSError("no"), missing=False)["precondition"]
    assert (found["errno_name"], found["missing"]) == ("E?0", False)


def test_a_function_of_libbpf_that_is_missing_is_named_with_the_version_that_does_not_have_it() -> None:
    assert missing_function("bpf_program__attach_tcx", "v1.1") == {
        "cause": "libbpf",
        "name": "bpf_program__attach_tcx",
        "value": "v1.1",
        "errno_name": "ENOSYS",
        "missing": True,
    }
