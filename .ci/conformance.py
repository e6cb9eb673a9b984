"""Reads the reports of a conformance run: both must be there, and every test in them must have passed."""

import collections
import os
import pathlib
import sys
import xml.etree.ElementTree

FEWEST_TESTS = 600


def main() -> int:
    results, name = pathlib.Path(sys.argv[1]), sys.argv[2]
    for report in ("results.yaml", "junit.xml"):
        if not (results / report).is_file():
            print(f"conformance {name}: {report} was not written")
            return 1
    counts = collections.Counter()
    for test in xml.etree.ElementTree.parse(results / "junit.xml").iter("testcase"):
        status = test.get("status")
        counts[status] += 1
        if status != "passed":
            print(f"{status}: {test.get('name')}: {(test.findtext('system-out') or '').strip()[:500]}")
    print(f"conformance {name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    failed = sum(counts.values()) - counts["passed"]
    if path := os.environ.get("REGISTRY_TEST_COUNTS"):
        with open(path, "a", encoding="utf-8") as file:
            print(counts["passed"], failed, file=file)
    return 0 if failed == 0 and counts["passed"] >= FEWEST_TESTS else 1


if __name__ == "__main__":
    sys.exit(main())
