"""Sums up what the suites left: prints each failed test, then one line.

Reads every JUnit file (*.xml) and every `go test -json` file (go-*.json) of the
folder given as the last argument. What failed was run once more, into a file
whose name ends with .again.xml or .again.json: a test that passed there is
flaky. Exits 1 if a test failed twice or none was run.

With --failed, the last argument is a `go test -json` file; prints what failed
in it: a package and a pattern for `go test -run` a line.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass


@dataclass
class Result:
    """How one test ended: passed, failed or skipped, and what it said."""

    ended: str
    said: str


# The results of a suite, by where a test stands and its name.
Results = dict[tuple[str, str], Result]


def go_results(path: pathlib.Path) -> Results:
    """Read one `go test -json` file; subtests stand for their parents.

    A package that failed although none of its tests did (it did not build, or
    leaked) stands there with an empty name.
    """
    ended: dict[tuple[str, str], str] = {}
    output: dict[tuple[str, str], list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        key = (event.get("Package", event.get("ImportPath", "?")), event.get("Test", ""))
        if event["Action"] in ("pass", "fail", "skip"):
            ended[key] = {"pass": "passed", "fail": "failed", "skip": "skipped"}[event["Action"]]
        elif "output" in event["Action"]:
            output.setdefault(key, []).append(event["Output"])
    parents = {(package, test.rpartition("/")[0]) for package, test in ended if "/" in test}
    broken = {package for (package, test), how in ended.items() if test and how == "failed"}
    results: Results = {}
    for (package, test), how in ended.items():
        if (package, test) in parents or (not test and (how != "failed" or package in broken)):
            continue
        results[package, test] = Result(how, "".join(output.get((package, test), [])[-40:]))
    return results


def junit_results(path: pathlib.Path) -> Results:
    """Read one JUnit file."""
    results: Results = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        key = (str(case.get("classname")), str(case.get("name")))
        broken = [child for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if broken:
            results[key] = Result("failed", (broken[0].text or "")[-2000:])
        elif skipped is not None:
            results[key] = Result("skipped", str(skipped.get("message")))
        else:
            results[key] = Result("passed", "")
    return results


def read(path: pathlib.Path) -> Results:
    """Read one file of results; one that is not there has none."""
    if not path.exists():
        return {}
    return go_results(path) if path.suffix == ".json" else junit_results(path)


def again(first: Results, second: Results) -> None:
    """Call flaky, in the first results, what failed there and passed in the second.

    A package that failed as a whole is flaky when no test in it failed the
    second time. What the first run left out, since something before it failed,
    is taken from the second.
    """
    for key, result in second.items():
        if key not in first or first[key].ended == "skipped":
            first[key] = result
    for (where, name), result in first.items():
        if result.ended != "failed":
            continue
        if not name:
            later = [how.ended for (package, _), how in second.items() if package == where]
            if later and "failed" not in later:
                result.ended = "flaky"
        elif (where, name) in second and second[where, name].ended == "passed":
            result.ended = "flaky"


def failed_of(path: pathlib.Path) -> dict[str, str]:
    """The pattern of what failed, by package, in a `go test -json` file.

    It is all of a package that did not come to its end (a panic, a time-out):
    nobody knows what the tests behind would have said. One that did has printed
    FAIL on a line of its own.
    """
    ended = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if not event.get("Test") and event.get("Output") == "FAIL\n":
            ended.add(event["Package"])
    patterns: dict[str, set[str]] = {}
    for (package, test), result in go_results(path).items():
        if result.ended == "failed":
            patterns.setdefault(package, set()).add(test.partition("/")[0])
    return {
        package: "." if "" in tests or package not in ended else f"^({'|'.join(sorted(tests))})$"
        for package, tests in patterns.items()
    }


def main() -> int:
    """Sum up the folder named on the command line; the result is the exit status."""
    last = pathlib.Path(sys.argv[-1])
    if "--failed" in sys.argv[1:]:
        for package, pattern in failed_of(last).items():
            print(package, pattern)
        return 0
    counts = dict.fromkeys(("passed", "failed", "flaky", "skipped"), 0)
    for path in sorted([*last.glob("go-*.json"), *last.glob("*.xml")]):
        if path.stem.endswith(".again"):
            continue
        results = read(path)
        again(results, read(path.with_suffix(f".again{path.suffix}")))
        for (where, name), result in results.items():
            counts[result.ended] += 1
            if result.ended in ("failed", "flaky"):
                print(f"{'FAIL' if result.ended == 'failed' else 'FLAKY'} {path.stem} {where} {name}\n{result.said}")
            elif result.ended == "skipped" and path.suffix == ".xml":
                print(f"skip {path.stem} {where} {name}: {result.said}")
    print(", ".join(f"{count} {how}" for how, count in counts.items()))
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
