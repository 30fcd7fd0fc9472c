"""``make test-full``: every test, with the long fault, fuzz and figure runs; keeps the result with its commit."""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import commit, describe_machine

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "results" / "test-full.md"


def main() -> int:
    report = ROOT / "build" / "test-full.xml"
    report.parent.mkdir(exist_ok=True)
    start = time.monotonic()
    started, at = datetime.now(UTC), commit()
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", f"--junitxml={report}", *sys.argv[1:]],
        cwd=ROOT,
        check=False,
    ).returncode
    minutes = (time.monotonic() - start) / 60
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    slowest = sorted(suite.iter("testcase"), key=lambda case: -float(case.get("time", "0")))[:15]
    skipped = [
        (f"{case.get('classname')}.{case.get('name')}", mark.get("message", ""))
        for case in suite.iter("testcase")
        for mark in case.iter("skipped")
    ]
    machine = describe_machine()
    command = " ".join(["python -m benchmarks.test_full", *sys.argv[1:]])
    lines = [
        "# Last full test run",
        "",
        f"`{command}` on commit `{at}`, {started:%Y-%m-%d %H:%M} UTC, {minutes:.1f} minutes, exit code {code}.",
        f"Machine: {machine['processor']}, {machine['cores']} cores, Python {machine['python']}.",
        "",
        ", ".join(f"{count} {name}" for name, count in counts.items()) + ".",
        "",
        "| slowest | seconds |",
        "| --- | --- |",
        *(f"| {case.get('classname')}.{case.get('name')} | {float(case.get('time', '0')):.1f} |" for case in slowest),
    ]
    if skipped:
        lines += ["", "| skipped | why |", "| --- | --- |", *(f"| {name} | {why} |" for name, why in skipped)]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")
    print(f"written to {RESULT.relative_to(ROOT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
