from __future__ import annotations

import copy
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_samples import CASE, EXPECTATIONS, MATRIX, USES, write_case, write_expectations, write_matrix
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from harness.config.case import CaseFile
from harness.config.case_folders import load_case
from harness.config.matrix import DeadlineDefaults, DebianKernel, Matrix, PathKernel, RpmKernel, load_matrix
from harness.config.reading.explain import did_you_mean, explain
from harness.config.reading.yaml_source import Loc, dotted, load
from harness.config.rules import load_shared
from harness.errors import ConfigError
from harness.model.settings import Deadlines

shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_the_sample(tmp_path: Path) -> None:
    matrix = load_matrix(write_matrix(tmp_path))
    assert matrix.cases == ("bpf/*",)
    assert matrix.mirrors.debian is None
    assert matrix.mirrors.debian_security == "file:///srv/security"
    assert (matrix.defaults.jobs, matrix.defaults.accel, matrix.defaults.cpus) == ("auto", "auto", 1)
    first, second, mine = matrix.kernels
    assert isinstance(first, DebianKernel)
    assert (first.name, first.suite, first.package) == ("6.1", "bookworm", "linux-image-cloud-amd64")
    assert first.version is None
    assert isinstance(second, DebianKernel)
    assert (second.version, second.cmdline) == ("6.16.12-1~bpo13+1", "kasan=off")
    assert isinstance(mine, PathKernel)
    assert mine.image == tmp_path / "build/bzImage"
    assert mine.modules == tmp_path / "build/modules"
    assert mine.release == "6.19.0-rc1+"
    first_splat, second_splat = matrix.known_splats
    assert (first_splat.arch, first_splat.version) == (("x86_64", "arm64"), ">=6.8 | >=6.1.75,<6.2")
    assert (second_splat.arch, second_splat.version) == (None, None)
    assert (second_splat.pattern, second_splat.expires) == ("KASAN", date(2026, 12, 1))


def test_a_day_needs_no_quotes(tmp_path: Path) -> None:
    text = MATRIX.replace('"2027-01-31"', "2027-01-31")
    assert load_matrix(write_matrix(tmp_path, text)).known_splats[0].expires == date(2027, 1, 31)


def test_own_settings_go_before_the_defaults(tmp_path: Path) -> None:
    matrix = load_matrix(write_matrix(tmp_path))
    first, second, mine = (kernel.settings(matrix.defaults) for kernel in matrix.kernels)
    assert (first.memory, first.cpus) == (300, 1)
    assert first.deadlines == Deadlines(boot=90, case=30, shutdown=10)
    assert (second.memory, second.cpus) == (300, 2)
    assert second.deadlines == Deadlines(boot=90, case=45.5, shutdown=10)
    assert mine.memory == 1024
    assert mine.deadlines == first.deadlines


def test_defaults_of_an_empty_matrix(tmp_path: Path) -> None:
    text = "kernels: [{name: a, arch: s390x, source: path, image: /boot/vmlinuz}]\n"
    matrix = load_matrix(write_matrix(tmp_path, text))
    defaults = matrix.defaults
    assert (defaults.memory, defaults.cpus, defaults.jobs, defaults.accel) == (256, 1, "auto", "auto")
    assert defaults.deadlines == DeadlineDefaults(boot=60, case=30, shutdown=10)
    assert hash(matrix) == hash(load_matrix(write_matrix(tmp_path, text)))


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    images = ("~/bzImage", "/boot/vmlinuz", "../vmlinux")
    kernels = [{"name": str(n), "arch": "x86_64", "source": "path", "image": image} for n, image in enumerate(images)]
    write_matrix(tmp_path / "sub", yaml.safe_dump({"kernels": kernels}))
    matrix = load_matrix(Path("sub/matrix.yaml"))
    assert [kernel.image for kernel in matrix.kernels if isinstance(kernel, PathKernel)] == [
        tmp_path / "home/bzImage",
        Path("/boot/vmlinuz"),
        tmp_path / "sub/../vmlinux",
    ]


@pytest.mark.parametrize(("image", "got"), [("", '""'), ("~nosuchuser-/x", '"~nosuchuser-/x"')])
def test_paths_that_lead_nowhere(tmp_path: Path, image: str, got: str) -> None:
    text = yaml.safe_dump({"kernels": [{"name": "a", "arch": "x86_64", "source": "path", "image": image}]})
    with pytest.raises(ConfigError, match=rf"kernels\[0\]\.image: expected a path.*, got {re.escape(got)}"):
        load_matrix(write_matrix(tmp_path, text))


def test_models_are_frozen(tmp_path: Path) -> None:
    matrix = load_matrix(write_matrix(tmp_path))
    with pytest.raises(ValidationError, match="frozen"):
        matrix.kernels[0].name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("url", ["http://mirror.example", "https://mirror.example:8/x/", "file:///srv/debian"])
def test_mirror_urls(url: str) -> None:
    kernels = yaml.safe_load(MATRIX)["kernels"]
    assert Matrix.model_validate({"kernels": kernels, "mirrors": {"debian": url}}).mirrors.debian == url


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("sorce", ["source", "suite"], '; did you mean "source"?'),
        ("KVM", ["auto", "kvm"], '; did you mean "kvm"?'),
        ("load", ["load-target", "load-tracer", "open"], '; did you mean "load-target" or "load-tracer"?'),
        ("zzz", ["source"], ""),
        ("", ["source"], ""),
        ("amd64", ["x86_64"], '; did you mean "x86_64"?'),
    ],
)
def test_did_you_mean(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known, {"AMD64": ("x86_64",)}) == hint


def test_explain_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_matrix(tmp_path, MATRIX.replace("memory: 300", "memory: lots").replace("suite: b", "sute: b"))
    data, positions = load(path)
    with pytest.raises(ValidationError) as caught:
        Matrix.model_validate(data)
    known = "name, arch, memory, cpus, deadlines, cmdline, libbpf, clang, source, suite, package, version, sweep"
    assert explain(caught.value, path=path, positions=positions, model=Matrix, data=data).splitlines() == [
        'matrix.yaml:2: defaults.memory: expected an integer of at least 64 (MiB), got "lots"',
        'matrix.yaml:7: kernels[0]: the key "suite" is missing; expected the name of a Debian suite, '
        'such as "trixie-backports"',
        f'matrix.yaml:10: kernels[0].sute: unknown key; did you mean "suite"? (known: {known})',
    ]


# Whatever is done to a valid file, the answer is a model or a ConfigError whose lines name places.

JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70),
    st.floats(allow_nan=True),
    st.sampled_from(["", "debian", "path", "x86_64", "refused", "works", "5.10", "[key]", "EINVAL", "a b", "{x}"]),
    st.just([]),
    st.just({}),
    st.lists(st.sampled_from([1, "a", None, "EINVAL", "arm64"]), max_size=3),
    st.dictionaries(st.sampled_from(["source", "kind", "debian", "name", "x.y"]), st.integers(), max_size=2),
)


def places(data: Any, loc: Loc = ()) -> list[Loc]:
    found = [loc] if loc else []
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        found += places(value, (*loc, key))
    return found


@st.composite
def damaged(draw: st.DrawFn, text: str) -> Any:
    data = copy.deepcopy(yaml.safe_load(text))
    for _ in range(draw(st.integers(1, 4))):
        loc = draw(st.sampled_from(places(data) or [("kernels",)]))
        holder: Any = data
        for item in loc[:-1]:
            holder = holder[item]
        how = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
        if how == "remove" and loc[-1] in (holder if isinstance(holder, dict) else range(len(holder))):
            del holder[loc[-1]]
        elif how in ("rename", "add") and isinstance(holder, dict):
            name = draw(st.sampled_from(["debian", "path", "[key]", "x y", "source", "literal", "stage", "events"]))
            holder[name] = holder.pop(loc[-1], None) if how == "rename" else draw(JUNK)
        else:
            holder[loc[-1]] = draw(JUNK)
    return data


def check(message: str, file: str, data: Any) -> None:
    """Every line names the file, a line, and a place that is really in the file."""
    known = {dotted(loc) for loc in places(data)}
    for line in message.splitlines():
        match = re.fullmatch(rf"{re.escape(file)}:\d+: (?:the key \".*|(?P<place>.+?): .+)", line)
        assert match
        assert match["place"] is None or match["place"] in known
        assert "Input should" not in line


@shared_folder
@given(data=damaged(MATRIX))
def test_a_damaged_matrix_is_explained(tmp_path: Path, data: Any) -> None:
    path = write_matrix(tmp_path, yaml.safe_dump(data, sort_keys=False))
    try:
        matrix: BaseModel = load_matrix(path)
    except ConfigError as error:
        check(str(error), str(path), data)
    else:
        assert isinstance(matrix, Matrix)


@shared_folder
@given(data=damaged(CASE) | damaged(USES))
def test_a_damaged_case_is_explained(tmp_path: Path, data: Any) -> None:
    write_expectations(tmp_path)
    folder = write_case(tmp_path / "sample", yaml.safe_dump(data, sort_keys=False))
    try:
        case: BaseModel = load_case(folder)
    except ConfigError as error:
        check(str(error), str(folder / "case.yaml"), data)
    else:
        assert isinstance(case, CaseFile)


@shared_folder
@given(data=damaged(EXPECTATIONS))
def test_damaged_expectations_are_explained(tmp_path: Path, data: Any) -> None:
    path = write_expectations(tmp_path, yaml.safe_dump(data, sort_keys=False))
    try:
        shared = load_shared(tmp_path)
    except ConfigError as error:
        check(str(error), str(path), data)
    else:
        assert shared.lists is not None and shared.lists.keys() == data.keys()


RPM = """\
kernels:
  - name: el9
    arch: x86_64
    source: rpm
    distribution: rhel-like
    baseurl: https://mirror.example/9/BaseOS/x86_64/os
    keyring: keys/RPM-GPG-KEY
"""


def test_a_kernel_of_an_rpm_repository(tmp_path: Path) -> None:
    (kernel,) = load_matrix(write_matrix(tmp_path, RPM)).kernels
    assert isinstance(kernel, RpmKernel)
    assert kernel.baseurl == ("https://mirror.example/9/BaseOS/x86_64/os",)
    assert kernel.keyring == tmp_path / "keys/RPM-GPG-KEY"
    assert (kernel.unsigned, kernel.package, kernel.version) == (False, None, None)
    several = RPM.replace("https://mirror.example/9", "[file:///srv/9").replace("/os", "/os, http://b.example/9]")
    (kernel,) = load_matrix(write_matrix(tmp_path, several + "    unsigned: index\n")).kernels
    assert isinstance(kernel, RpmKernel)
    assert kernel.baseurl == ("file:///srv/9/BaseOS/x86_64/os", "http://b.example/9")
    assert kernel.unsigned == "index"
    assert (kernel.list_of_mirrors, kernel.addresses) == (None, kernel.baseurl)


@pytest.mark.parametrize("key", ["mirrorlist", "metalink"])
def test_a_list_of_mirrors_takes_the_place_of_an_address(tmp_path: Path, key: str) -> None:
    address = "https://mirrors.example/list?repo=os-9&arch=x86_64"
    text = RPM.replace("baseurl: https://mirror.example/9/BaseOS/x86_64/os", f'{key}: "{address}"')
    (kernel,) = load_matrix(write_matrix(tmp_path, text)).kernels
    assert isinstance(kernel, RpmKernel)
    assert (kernel.baseurl, kernel.list_of_mirrors, kernel.addresses) == ((), address, (address,))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("    keyring: keys/RPM-GPG-KEY\n", ""), 'kernels[0]: needs the key "keyring"'),
        (("baseurl: https://mirror.example/9/BaseOS/x86_64/os", ""), 'needs the key "baseurl", "mirrorlist" or "meta'),
        (("keys/RPM", "keys/RPM\n    metalink: https://a.example #"), '0].metalink: not allowed beside "baseurl"'),
        (("baseurl: https", "mirrorlist: rsync"), "expected an http://, https:// or file:/// URL"),
        (("keyring: keys/RPM-GPG-KEY", "unsigned: index"), 'kernels[0]: needs the key "keyring"'),
        (("keys/RPM", "keys/RPM\n    unsigned: true #"), "kernels[0].unsigned: nothing is signed by the keyring then"),
        (("keys/RPM", "keys/RPM\n    unsigned: packages #"), "expected true, false or index"),
        (("rhel-like", "rocky"), "rhel-like"),
        (("https:", "rsync:"), "expected an http://, https:// or file:/// URL"),
        (("keys/RPM", "keys/RPM\n    version: '6 1' #"), "expected VERSION-RELEASE of a package"),
        (("keys/RPM", "keys/RPM\n    package: 'kernel-*' #"), "expected the name of an RPM package"),
    ],
)
def test_what_is_wrong_with_a_kernel_of_an_rpm_repository(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_matrix(write_matrix(tmp_path, RPM.replace(*change)))
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
