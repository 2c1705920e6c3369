"""report.html in a browser: the evidence of a cell, its address, and texts that want to be markup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from browser_pages import Opened
from browser_reports import REFUSAL, mixed_report
from pages_samples import worded
from playwright.sync_api import expect
from reports_sample import nasty_report

from harness.model.results import Verdict

pytest_plugins = ("browser_fixtures",)
Open = Callable[..., Opened]
HOSTILE = "</script></style></title><img src=x onerror=alert(1)><script>alert(2)</script>\"'><b>bold</b> {{ 7*7 }}"


def test_a_cell_opens_its_evidence(opened: Open) -> None:
    page = opened(mixed_report())
    page.cell("7.3-x86_64", "kprobe-two").click()
    panel = page.opens("7.3-x86_64/kprobe-two")
    assert page.page.url.endswith("#7.3-x86_64/kprobe-two")
    expect(panel.get_by_role("heading", level=2)).to_have_text("✗ fail kprobe-two on 7.3-x86_64")
    text = panel.inner_text()
    for said in (
        "refused at load-tracer with EACCES (context-not-known), by the kernel",
        "the verifier refused trace_fentry",
        "trampolines on x86_64 since 5.5",
        "fec56f5890d9",
        "bpfmatrix matrix --kernel 7.3-x86_64 --case kprobe-two",
        "prog_works",
        "fentry/b",
        "42",
        "open0.012 s",
    ):
        assert said in text, said
    assert panel.locator("mark").first.inner_text() == "R1 invalid mem access 'scalar'"
    assert "ended here" in panel.locator(".stages .stopped").first.inner_text()
    assert panel.locator("details.part[open]").count() == 1


def test_a_pass_shows_its_events_as_the_seed_prints_them_and_its_kernel(opened: Open) -> None:
    panel = opened(mixed_report(), fragment="7.4-riscv64/kprobe-one").opens("7.4-riscv64/kprobe-one")
    assert "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: 0)" in panel.inner_text()
    panel.get_by_text("The kernel and its guests").click()
    assert "7.4-riscv64-cloud-amd64" in panel.inner_text()


def test_a_death_shows_its_trace_and_the_console(opened: Open) -> None:
    panel = opened(mixed_report(), fragment="6.1-x86_64/freplace-two").opens("6.1-x86_64/freplace-two")
    text = panel.inner_text()
    assert "RIP: 0010:bpf_prog_1" in text and "Kernel panic - not syncing" in text
    assert panel.locator("mark").first.inner_text() == "BUG: TASK stack guard page was hit"


def test_the_address_is_the_cell_and_back_closes_it(opened: Open) -> None:
    page = opened(mixed_report())
    page.page.locator(".failure a").first.click()
    page.opens("6.12-x86_64/kprobe-two")
    page.page.get_by_role("button", name="The next cell that is not plain").click()
    page.opens("7.3-x86_64/kprobe-two")
    page.page.go_back()
    page.opens("6.12-x86_64/kprobe-two")
    page.page.go_back()
    expect(page.page.locator("#panel")).to_be_hidden()
    page.page.go_forward()
    page.opens("6.12-x86_64/kprobe-two")
    page.page.get_by_role("button", name="Close").click()
    expect(page.page.locator("#panel")).to_be_hidden()
    assert "#" not in page.page.url
    page.page.evaluate("location.hash = '#nothing/here'")
    expect(page.page.locator("#panel")).to_be_hidden()


def test_one_click_opens_the_pack_of_one_kernel(opened: Open) -> None:
    page = opened(mixed_report())
    page.page.evaluate(
        """() => {
            window.read = [];
            const get = document.getElementById.bind(document);
            document.getElementById = (id) => (id.startsWith("pack-") && window.read.push(id), get(id));
        }"""
    )
    page.cell("6.12-x86_64", "kprobe-one").click()
    page.opens("6.12-x86_64/kprobe-one")
    page.cell("6.12-x86_64", "kprobe-two").click()
    page.opens("6.12-x86_64/kprobe-two")
    assert page.page.evaluate("window.read") == ["pack-shared", "pack-1"]


def test_the_same_case_on_another_kernel_is_one_click_away(opened: Open) -> None:
    page = opened(mixed_report(), fragment="7.3-x86_64/kprobe-two")
    page.opens("7.3-x86_64/kprobe-two").get_by_role("link", name="6.1-arm64: pass").click()
    page.opens("6.1-arm64/kprobe-two")


def test_a_command_is_copied_or_selected(opened: Open) -> None:
    page = opened(mixed_report())
    page.page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    page.page.get_by_role("button", name="Copy the command").click()
    expect(page.page.locator("#live")).to_have_text("Copied.")
    command = "bpfmatrix matrix --kernel 6.12-x86_64 --case kprobe-two"
    assert page.page.evaluate("window.copied") == command
    page.page.evaluate("() => { navigator.clipboard.writeText = async () => { throw new Error('not allowed'); }; }")
    page.page.get_by_role("button", name="Copy the command").click()
    expect(page.page.locator("#live")).to_have_text("Selected: copy it with your keyboard.")
    assert command in page.page.evaluate("getSelection().toString()")


def test_no_text_is_markup(opened: Open) -> None:
    report = worded(nasty_report(), HOSTILE)
    outcome = replace(REFUSAL, log=HOSTILE, reason=HOSTILE, output=HOSTILE, crash=HOSTILE, events=({"kind": HOSTILE},))
    report = replace(report, cells=tuple(replace(cell, outcome=outcome, verdict=Verdict.FAIL) for cell in report.cells))
    page = opened(report)
    page.page.locator("#grid tr.item td:not(.sum)").first.click()
    panel = page.page.locator("#panel[data-place]")
    panel.wait_for()
    assert HOSTILE in panel.inner_text()
    assert page.page.locator("img, b:text-is('bold'), #panel script").count() == 0
    assert "49" not in panel.inner_text()
    assert page.page.evaluate("document.scripts.length") == 2 + 1 + len(report.kernels)
    assert page.page.title() == f"bpfmatrix {HOSTILE}"


def test_the_policy_lets_no_other_script_run_and_no_text_be_markup(opened: Open) -> None:
    page = opened(mixed_report())
    said = page.page.evaluate(
        """() => {
            const script = document.createElement("script");
            let found = [];
            const attempt = (act) => { try { act(); } catch (error) { found.push(error.name); } };
            attempt(() => { script.textContent = "window.ran = true"; document.body.append(script); });
            attempt(() => { document.body.innerHTML = "<b>no</b>"; });
            return [found, window.ran ?? false];
        }"""
    )
    assert said == [["TypeError", "TypeError"], False]
    page.complaints.clear()  # the browser says what it refused
