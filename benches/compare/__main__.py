"""Sets the server beside others on this machine and prints a table: python3 benches/compare [--quick] [--only ROW]

Linux, Python's standard library, and what it compares with: Debian's docker-registry, nginx-light, strace, openssl.
What is missing is reported as not run. docs/performance.md says how it measures.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import memory
import small
import transfers
from measure import QUICK, Bench, Line, Sizes
from peers import NotRun

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = {
    "manifest": small.manifest,
    "head": small.head,
    "images": transfers.images,
    "slow-disk": transfers.slow_disk,
    "pull": transfers.pull,
    "pull-tls": transfers.pull_tls,
    "cold": transfers.cold,
    "push": transfers.push,
    "push-tls": transfers.push_tls,
    "listings": small.listings,
    "memory": memory.memory,
}
IN_NAMESPACE = "COMPARE_IN_NAMESPACE"


def main() -> int:
    options = arguments()
    built = options.built or build("dev" if options.quick else "release")
    enter_namespace()
    sizes = QUICK if options.quick else Sizes()
    sizes.runs = options.runs or sizes.runs
    place = pathlib.Path(tempfile.mkdtemp(prefix="compare-", dir=options.directory))
    lines, not_run, failed = [], [], []
    try:
        bench = Bench(built, sizes, place)
        for name in options.only or ROWS:
            start = time.monotonic()
            try:
                lines += ROWS[name](bench)
            except NotRun as reason:
                not_run.append(f"{name}: {reason}")
            except (RuntimeError, OSError) as error:
                failed.append(f"{name}: {error}")
            print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    finally:
        shutil.rmtree(place)
    if not options.quick:
        table(lines, sizes)
    ran = len(options.only or ROWS) - len(not_run) - len(failed)
    print(f"{ran} rows ran, {len(not_run)} did not, {len(failed)} failed")
    for reason in not_run:
        print(f"not run: {reason}")
    for error in failed:
        print(f"FAILED: {error}")
    if options.json:
        options.json.write_text(json.dumps([vars(line) for line in lines], indent=1))
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/compare", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only prove that it works: small sizes, not optimised, no table")
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW",
                        help=f"one of {', '.join(ROWS)}; again for more")
    parser.add_argument("--runs", type=int, help="alternating runs, of which the median is taken (5)")
    parser.add_argument("--built", type=pathlib.Path, help="where registry-server and load are, instead of building them")
    parser.add_argument("--directory", help="where the servers' data lies (the system's place for temporary files)")
    parser.add_argument("--json", type=pathlib.Path, help="write the lines of the table to this file as well")
    return parser.parse_args()


def build(profile: str) -> pathlib.Path:
    """Builds the server and the client and gives the directory that they are in."""
    # The whole workspace, as the tests build it: fewer packages would be built with other features.
    subprocess.run(["cargo", "build", "--quiet", "--workspace", "--bins", "--profile", profile], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    return target / ("debug" if profile == "dev" else profile)


def enter_namespace():
    """Goes on in a network of its own, where loopback behaves like a network and not like the machine's uplink."""
    if os.environ.get(IN_NAMESPACE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").write_text("reno")
    elif os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip"):
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    else:
        print("not root, or no unshare and ip: without a network of its own, throughput depends on the machine's "
              "congestion control", file=sys.stderr)


def table(lines: list, sizes: Sizes):
    print(f"{machine()}\nmedians of {sizes.runs} alternating runs\n")
    print("| measured | registry | beside | ratio | held to | met |\n|---|---|---|---|---|---|")
    for line in lines:
        print(row(line))
    print()


def row(line: Line) -> str:
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    met = {None: "", True: "yes", False: "**no**"}[line.is_met]
    return f"| {line.what} | {line.ours} | {line.other} | {ratio} | {line.held_to} | {met} |"


def machine() -> str:
    """The processor, the memory, the kernel and the versions of what is compared."""
    processor = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if "model name" in line), "?")
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    versions = [first_line(command) for command in (
        ["docker-registry", "--version"], ["nginx", "-v"], ["openssl", "version"], ["rustc", "--version"])]
    return (f"{os.cpu_count()} x {processor}, {memory_gib:.0f} GiB, Linux {platform.release()}, "
            f"load {os.getloadavg()[0]:.1f}; {'; '.join(filter(None, versions))}")


def first_line(command: list) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return (done.stdout + done.stderr).strip().splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
