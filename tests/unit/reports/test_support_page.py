from __future__ import annotations

import json
from dataclasses import replace

import pytest
from answers_samples import kernel, report
from pages_samples import markdown_shape
from reports_sample import nasty_report

from harness.answers.support import Support, support
from harness.reports import support_page

VERSIONS = {"5.10-x86_64": "5.10.249-1", "6.1-x86_64": "6.1.176-1", "6.12-x86_64": "6.12.107-1", "7.3-x86_64": "7.3-1"}


def of(*words: str) -> Support:
    names = dict(zip(VERSIONS, words, strict=True))
    rows = {name: kernel(name, VERSIONS[name]) for name in names}
    return support([report({name: {"seed": word} for name, word in names.items()}, kernels=rows)])


def test_a_row_says_where_it_works_where_not_and_what_is_not_known() -> None:
    page = support_page.markdown(of("fail", "pass", "pass", "lost"))
    assert (
        "| seed | 2 of 3 | 6.1.176 to 6.12.107 (2) | "
        "5.10.249: refused at load-tracer with EINVAL (attach-target) | 7.3 |"
    ) in page
    assert "4 kernels in the reports: 5.10.249, 6.1.176, 6.12.107, 7.3." in page


def test_what_means_nothing_there_is_said() -> None:
    assert "| 5.10.249 (means nothing there) |" in support_page.markdown(of("nothing", "pass", "pass", "pass"))


@pytest.mark.parametrize(
    ("words", "message", "colour"),
    [
        (("pass",) * 4, "4 of 4 kernels seen, 5.10.249 to 7.3", "brightgreen"),
        (("fail", "pass", "pass", "pass"), "3 of 4 kernels seen, 6.1.176 to 7.3", "yellow"),
        (("fail",) * 4, "0 of 4 kernels seen", "red"),
        (("lost",) * 4, "not seen on any kernel", "lightgrey"),
    ],
)
def test_a_badge_says_on_how_many(words: tuple[str, ...], message: str, colour: str) -> None:
    document = json.loads(support_page.endpoint(of(*words)))
    assert document == {"schemaVersion": 1, "label": "works on", "message": message, "color": colour}


def test_no_text_of_a_guest_is_markup() -> None:
    made = nasty_report()
    made = replace(made, kernels=tuple(replace(each, distribution="<b>") for each in made.kernels))
    shape = markdown_shape(support_page.markdown(support([made])))
    assert not {"html_inline", "html_block", "link_open", "fence"} & set(shape)


def test_the_json_has_each_kernel_of_each_stretch() -> None:
    (statement,) = json.loads(support_page.as_json(of("fail", "pass", "pass", "lost")))["statements"]
    assert [(each["state"], len(each["kernels"])) for each in statement["stretches"]] == [
        ("fails", 1),
        ("works", 2),
        ("unknown", 1),
    ]
    assert statement["stretches"][1]["kernels"][0] == {
        "version": "6.1.176",
        "package": "6.1.176-1",
        "row": "6.1-x86_64",
    }


def test_a_badge_says_the_kernels_own_versions_and_no_packages() -> None:
    versions = {"6.16-x86_64": "6.16.12-1~bpo13+1", "7.3-x86_64": "7.3~rc7-1~exp1"}
    rows = {name: kernel(name, version, version=version) for name, version in versions.items()}
    found = support([report({name: {"seed": "pass"} for name in versions}, kernels=rows)])
    assert support_page.message(found) == "2 of 2 kernels seen, 6.16.12 to 7.3-rc7"
