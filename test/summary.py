"""Sums up what the suites left: prints each failed test, then one line.

Reads every JUnit file (*.xml) and every `go test -json` file (go-*.json) of the
folder given as the only argument. Exits 1 if a test failed or none was run.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

Counts = dict[str, int]


def go_results(path: pathlib.Path, counts: Counts) -> None:
    """Count the tests of one `go test -json` file; subtests stand for their parents."""
    results: dict[tuple[str, str], str] = {}
    output: dict[tuple[str, str], list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        key = (event.get("Package", event.get("ImportPath", "?")), event.get("Test", ""))
        if event["Action"] in ("pass", "fail", "skip"):
            results[key] = event["Action"]
        elif "output" in event["Action"]:
            output.setdefault(key, []).append(event["Output"])
    parents = {(package, test.rpartition("/")[0]) for package, test in results if "/" in test}
    for (package, test), result in results.items():
        if result == "fail" and (package, test) not in parents:
            print(f"FAIL {package} {test}\n{''.join(output.get((package, test), [])[-40:])}")
        if result == "fail" and not test and not any(p == package and t for (p, t), r in results.items() if r == "fail"):
            counts["fail"] += 1  # the package itself: it did not build, or leaked
        elif test and (package, test) not in parents:
            counts[result] += 1


def junit_results(path: pathlib.Path, counts: Counts) -> None:
    """Count the tests of one JUnit file."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        broken = [child for child in case if child.tag in ("failure", "error")]
        if broken:
            counts["fail"] += 1
            print(f"FAIL {path.stem} {case.get('classname')} {case.get('name')}\n{(broken[0].text or '')[-2000:]}")
        elif case.find("skipped") is not None:
            counts["skip"] += 1
            print(f"skip {path.stem} {case.get('classname')} {case.get('name')}: {case.find('skipped').get('message')}")  # type: ignore[union-attr]
        else:
            counts["pass"] += 1


def main() -> int:
    """Sum up the folder named on the command line; the result is the exit status."""
    folder = pathlib.Path(sys.argv[1])
    counts: Counts = {"pass": 0, "fail": 0, "skip": 0}
    for path in sorted(folder.glob("go-*.json")):
        go_results(path, counts)
    for path in sorted(folder.glob("*.xml")):
        junit_results(path, counts)
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    return 1 if counts["fail"] or not counts["pass"] else 0


if __name__ == "__main__":
    sys.exit(main())
