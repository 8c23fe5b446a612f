"""What test/run does after a failure: what is run again, and what the sum says then."""

import json
import pathlib

import pytest
import summary

Event = tuple[str, str, str]  # action, test, output


def go_file(path: pathlib.Path, *events: Event) -> pathlib.Path:
    """A `go test -json` file of package p."""
    lines = [json.dumps({"Package": "p", "Action": a, "Test": t, "Output": o}) for a, t, o in events]
    path.write_text("\n".join(lines))
    return path


def junit_file(path: pathlib.Path, **tests: str) -> None:
    """A JUnit file: tests by name, and the element in each, or none."""
    cases = [f"<testcase classname='c' name='{n}'>{f'<{how}/>' if how else ''}</testcase>" for n, how in tests.items()]
    path.write_text(f"<testsuite>{''.join(cases)}</testsuite>")


END = ("output", "", "FAIL\n")


def test_what_failed_is_run_again_by_its_name(tmp_path: pathlib.Path) -> None:
    path = go_file(tmp_path / "go-x.json", ("fail", "A/sub", ""), ("fail", "A", ""), ("fail", "B", ""), ("pass", "C", ""), END, ("fail", "", ""))
    assert summary.failed_of(path) == {"p": "^(A|B)$"}


@pytest.mark.parametrize(
    "events",
    [
        [("fail", "A", ""), ("output", "", "panic: test timed out\n"), ("fail", "", "")],
        [("pass", "A", ""), ("output", "", "found unexpected goroutines\n"), ("fail", "", "")],
        [("fail", "", "")],
    ],
    ids=["panic", "leak", "no build"],
)
def test_a_package_that_did_not_come_to_its_end_is_run_again_whole(tmp_path: pathlib.Path, events: list[Event]) -> None:
    assert summary.failed_of(go_file(tmp_path / "go-x.json", *events)) == {"p": "."}


def summed(folder: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit status, and the last line."""
    monkeypatch.setattr("sys.argv", ["summary.py", str(folder)])
    status = summary.main()
    return status, capsys.readouterr().out.splitlines()[-1]


def test_the_sum(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    go_file(tmp_path / "go-x.json", ("fail", "A", ""), ("pass", "C", ""), END, ("fail", "", ""))
    go_file(tmp_path / "go-x.again.json", ("pass", "A", ""))
    junit_file(tmp_path / "web.xml", one="failure", behind="skipped", left="skipped")
    junit_file(tmp_path / "web.again.xml", one="", behind="")
    assert summed(tmp_path, capsys, monkeypatch) == (0, "2 passed, 0 failed, 2 flaky, 1 skipped")
    # The panic of A hid D, which fails.
    go_file(tmp_path / "go-x.again.json", ("pass", "A", ""), ("pass", "C", ""), ("fail", "D", ""), END, ("fail", "", ""))
    assert summed(tmp_path, capsys, monkeypatch) == (1, "2 passed, 1 failed, 2 flaky, 1 skipped")
    junit_file(tmp_path / "web.again.xml", one="error")
    assert summed(tmp_path, capsys, monkeypatch) == (1, "1 passed, 2 failed, 1 flaky, 2 skipped")


def test_no_test_is_no_success(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert summed(tmp_path, capsys, monkeypatch)[0] == 1
