"""What is pushed to a guest, where a file of it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit_samples import guest_plan, sample_case

from harness.guest.parcel import job_parcel
from harness.run.one_kernel import error_reason


def test_an_object_that_vanishes_from_the_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "objects/key/object.o"
    plan = guest_plan(tmp_path, objects={"case": {"target.bpf.c": path}})
    with pytest.raises(OSError) as caught:
        job_parcel(plan, [sample_case(id="case")], agent=True)
    wanted = f"the host failed: [Errno 2] this was removed while the run was under way; run again: '{path}'"
    assert error_reason(caught.value) == wanted
