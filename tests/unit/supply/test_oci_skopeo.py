"""What skopeo's complaints mean, and what it is called with: a program of that name that writes down its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FetchError, MirrorError, MissingToolError, PackageGoneError
from harness.model.image_names import parse
from harness.supply.oci import skopeo
from harness.supply.oci.skopeo import Skopeo, failure

IMAGE = parse("registry.example/kernels:6.12")
D = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ("reading manifest 6.12: manifest unknown: manifest unknown", PackageGoneError, "has no image kernels:6.12"),
        (
            "errors:\\nname unknown: repository name not known to registry",
            PackageGoneError,
            "has no image kernels:6.12",
        ),
        ("fetching blob: invalid status code from registry 404 (Not Found)", PackageGoneError, "has no image"),
        ("unauthorized: authentication required", MirrorError, "Log in first: skopeo login registry.example"),
        ("requested access to the resource is denied", MirrorError, "does not let everybody have kernels:6.12"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", MirrorError, "cannot be fetched: .*connection refused"),
        ("write /cache/x: no space left on device", FetchError, "cannot be kept"),
        ("", MirrorError, "skopeo does not say why"),
    ],
)
def test_what_a_complaint_means(said: str, error: type[Exception], message: str) -> None:
    text = (
        f'time="2026-11-30T05:00:00Z" level=warning msg="again"\ntime="2026" level=fatal msg="{said}"\n' if said else ""
    )
    found = failure(text, IMAGE)
    assert type(found) is error
    with pytest.raises(error, match=message):
        raise found
    assert "level=" not in str(found)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "skopeo"
    path.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/words\nprintf "a\\r\\nb"\nexit $(cat {tmp_path}/code)\n'
    )
    path.chmod(0o755)
    (tmp_path / "code").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def words(program: Path) -> list[str]:
    return (program / "words").read_text().split("\n")[:-1]


def test_it_is_asked_for_a_name_or_a_digest_and_its_answer_is_taken_byte_for_byte(program: Path) -> None:
    assert Skopeo().ask(IMAGE, scratch=program) == b"a\r\nb"
    assert words(program)[-5:] == ["inspect", "--raw", "--retry-times", "3", "docker://registry.example/kernels:6.12"]
    Skopeo().ask(IMAGE, digest=D, scratch=program)
    assert words(program)[-1] == f"docker://registry.example/kernels@{D}"


def test_it_copies_what_a_digest_says(program: Path) -> None:
    Skopeo().copy(parse("127.0.0.1:5000/kernels:6.12"), D, program / "copy", architecture="arm64")
    found = words(program)
    assert found[-2:] == [f"docker://127.0.0.1:5000/kernels@{D}", f"dir:{program}/copy"]
    assert "--src-tls-verify=false" in found
    assert found[found.index("--override-arch") + 1] == "arm64"
    Skopeo().copy(IMAGE, D, program / "copy", architecture="arm64")
    assert "--src-tls-verify=false" not in words(program), "only of this machine"


def test_without_a_policy_of_the_users_all_images_are_taken(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (True, False):
        monkeypatch.setattr(skopeo, "POLICIES", (program / ("code" if there else "none"),))
        Skopeo().ask(IMAGE, scratch=program)
        assert (words(program)[0] == "--insecure-policy") is not there


def test_what_fails_is_said(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program / "code").write_text("1")
    with pytest.raises(MirrorError, match=r"registry\.example/kernels:6\.12 cannot be fetched"):
        Skopeo().ask(IMAGE, scratch=program)
    (program / "skopeo").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(skopeo, "SECONDS_TO_ASK", 0.1)
    with pytest.raises(MirrorError, match=r"registry.example took more than 0\.1 s for kernels:6.12"):
        Skopeo().ask(IMAGE, scratch=program)
    (program / "skopeo").unlink()
    monkeypatch.setenv("PATH", str(program))
    monkeypatch.setattr("harness.host.process.shutil.which", lambda *_args, **_more: None)
    with pytest.raises(MissingToolError, match="skopeo is not installed; it is needed to fetch kernels out of images"):
        Skopeo().ask(IMAGE, scratch=program)
