"""What the keys of a kernel in matrix.yaml can hold: names, versions, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from harness.config.reading.models import Expects, unexpected
from harness.config.steps import as_list
from harness.model.image_names import IMAGE_NAME


def _from_matrix(path: Path, info: ValidationInfo) -> Path:
    """Take `path` from the folder of the matrix file, which the validation's context names."""
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise unexpected("a path whose `~` leads to a home folder that exists") from error
    folder = info.context.get("folder") if isinstance(info.context, Mapping) else None
    return path if folder is None else (folder / path).absolute()


def _not_empty(value: Any) -> Any:
    if value == "":  # as a Path it would be the folder itself
        raise unexpected("a path")
    return value


FilePath: TypeAlias = Annotated[
    Path,
    BeforeValidator(_not_empty),
    AfterValidator(_from_matrix),
    WithJsonSchema({"type": "string", "minLength": 1}),
]

KernelName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"),
    Expects("a name of letters, digits, `.`, `_`, `+` and `-` that begins with a letter or digit"),
]
_URL_PATTERN = r"^(https?://[^\s/]\S*|file:///\S*)$"
MirrorUrl = Annotated[
    str,
    Field(pattern=_URL_PATTERN),
    Expects("an http://, https:// or file:/// URL"),
]
_ADDRESS_OR_NAME = r"^(https?://[^\s/]\S*|file:///\S*|[a-z][a-z0-9-]*)$"
MirrorName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]*$"), Expects("a name of lower-case letters, digits and - for a mirror")
]
SnapshotDate = Annotated[
    str,
    Field(pattern=r"^[0-9]{8}(T[0-9]{6}Z)?$"),
    Expects('the date of a snapshot in quotes, such as "20260131" or "20260131T060000Z"'),
]
Component = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"), Expects('a component, such as "main"')]
Suite = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"),
    Expects('the name of a Debian suite, such as "trixie-backports"'),
]
PackagePattern = Annotated[
    str,
    Field(pattern=r"^[a-z0-9*?\[][a-z0-9+.~*?!\[\]-]*$"),
    Expects('the name of a Debian package, or a pattern such as "linux-image-6.16.*-cloud-amd64"'),
]
DebianVersion = Annotated[
    str,
    Field(pattern=r"^([0-9]+:)?[0-9][A-Za-z0-9.+~-]*$"),
    Expects('a Debian version, such as "6.1.176-1"'),
]
RpmName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$"),
    Expects('the name of an RPM package, such as "kernel-core"'),
]
RpmVersion = Annotated[
    str,
    Field(pattern=r"^([0-9]+:)?[A-Za-z0-9*?\[][A-Za-z0-9+._~^*?!\[\]-]*$"),
    Expects('VERSION-RELEASE of a package, such as "5.14.0-503.11.1.el9_5", or a pattern such as "5.14.0-*"'),
]
RPM_DISTRIBUTIONS = ("rhel-like", "fedora", "amazon", "suse")
"""Whose kernels come in RPM packages; harness/supply/rpm/layouts.py knows how they are split."""
Release = Annotated[
    str,
    Field(pattern=r"^[0-9]+\.[0-9]+[A-Za-z0-9._+~-]*$"),
    Expects("a kernel release as `uname -r` prints it"),
]


_URL = {"type": "string", "pattern": _URL_PATTERN}
MirrorUrls = Annotated[
    tuple[MirrorUrl, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects("an http://, https:// or file:/// URL, or a list of them"),
    WithJsonSchema({"anyOf": [_URL, {"type": "array", "minItems": 1, "items": _URL}]}),
]
_ADDRESS = {"type": "string", "pattern": _ADDRESS_OR_NAME}
Uris = Annotated[
    tuple[
        Annotated[
            str,
            Field(pattern=_ADDRESS_OR_NAME),
            Expects("an http://, https:// or file:/// URL, or a name of `mirrors`"),
        ],
        ...,
    ],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects("an http://, https:// or file:/// URL, a name of `mirrors`, or a list of them"),
    WithJsonSchema({"anyOf": [_ADDRESS, {"type": "array", "minItems": 1, "items": _ADDRESS}]}),
]
ImageName = Annotated[
    str,
    Field(pattern=IMAGE_NAME),
    Expects('the name of an image with a tag or a digest, such as "registry.example/kernels:6.12"'),
]
RegistryName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9\[][A-Za-z0-9.:\]_-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"),
    Expects("a host, perhaps with a port and the beginning of names, such as registry.example/kernels"),
]
PathInImage = Annotated[
    str,
    Field(pattern=r"^/?[^/\s\x00]+(/[^/\s\x00]+)*$"),
    Expects('the path of a file in the image, such as "boot/vmlinuz"'),
]
