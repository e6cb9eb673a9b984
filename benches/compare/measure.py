"""Running loads, and what is made of their figures."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from peers import DockerRegistry, Nginx, Ours, Server, needed


@dataclasses.dataclass
class Sizes:
    """How large everything is."""

    runs: int = 5
    seconds: float = 5.0
    blob_bytes: int = 1 << 30
    pulls: int = 2
    entries: tuple = (1_000, 1_000_000)
    slow: int = 1_000
    uploads: int = 100
    idle: int = 10_000
    cold_seconds: float = 1.0
    crowd_seconds: float = 12.0


QUICK = Sizes(runs=1, seconds=0.3, blob_bytes=8 << 20, pulls=1, entries=(200, 2_000), slow=20, uploads=4, idle=50,
              crowd_seconds=1.0)


@dataclasses.dataclass
class Line:
    """A line of the table: a figure of ours beside that of another, and what the design holds it to."""

    what: str
    ours: str
    other: str = ""
    ratio: float | None = None
    held_to: str = ""
    is_met: bool | None = None


def compared(what: str, unit: str, ours: float, other: str, theirs: float, at_least=None, at_most=None) -> Line:
    """A line that sets our figure in proportion to theirs."""
    line = Line(what, f"{shown(ours)} {unit}", f"{other}: {shown(theirs)} {unit}")
    if not theirs:
        # Too short for the clock of processor time, as in a quick run.
        return line
    ratio = line.ratio = ours / theirs
    if at_least is not None:
        line.held_to, line.is_met = f"at least {at_least:g}", ratio >= at_least
    if at_most is not None:
        line.held_to, line.is_met = f"at most {at_most:g}", ratio <= at_most
    return line


def bounded(what: str, unit: str, ours: float, below: float | None = None, comment: str = "") -> Line:
    """A line of ours alone."""
    line = Line(what, f"{shown(ours)} {unit}", comment)
    if below is not None:
        line.held_to, line.is_met = f"below {below:g} {unit}", ours < below
    return line


def shown(figure: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


class Bench:
    """A place for the servers' files, the programs that were built, and the loads that can be made."""

    def __init__(self, built: pathlib.Path, sizes: Sizes, place: pathlib.Path):
        self.sizes, self.place = sizes, place
        self.program, self.load_program = built / "registry-server", built / "load"
        self.all_cpus = os.sched_getaffinity(0)
        first = min(self.all_cpus)
        # A server that has one processor to itself, and a client that has the others, do not take turns by chance.
        self.server_cpus = {first}
        self.client_cpus = self.all_cpus - {first} or {first}
        self.pair = self._certificate()
        self._next_seed = 0

    def _certificate(self):
        certificate, key = self.place / "ssl.cert", self.place / "ssl.key"
        command = [needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                   "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                   "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate]
        subprocess.run(command, check=True, capture_output=True)
        return certificate, key

    @contextlib.contextmanager
    def directory(self):
        """A directory for one row; removed after it, since blobs are large."""
        place = pathlib.Path(tempfile.mkdtemp(dir=self.place))
        try:
            yield place
        finally:
            shutil.rmtree(place)

    def ours(self, place: pathlib.Path, *, scopes=("repository:admin/app:pull,push",), **options) -> Ours:
        return Ours(self.program, place / "ours", options.pop("cpus", self.all_cpus), list(scopes), **options)

    def docker_registry(self, place: pathlib.Path, cpus=None) -> DockerRegistry:
        return DockerRegistry(place / "docker-registry", cpus or self.all_cpus)

    def nginx(self, place: pathlib.Path, cpus=None, pair=None) -> Nginx:
        return Nginx(place / "nginx", cpus or self.all_cpus, pair)

    def seed(self) -> int:
        """A number that no load of this run was given before."""
        self._next_seed += 1
        return self._next_seed

    def command(self, kind: str, server: Server, *arguments, **options) -> list:
        command = [self.load_program, kind, "--address", f"127.0.0.1:{server.port}"]
        if server.token:
            command += ["--token", server.token]
        if server.ca:
            command += ["--ca", server.ca]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", value]
        return [str(part) for part in [*command, *arguments]]

    def load(self, kind: str, server: Server, *arguments, cpus=None, **options) -> dict:
        """Makes a load and gives its report, with the processor seconds that the server took meanwhile."""
        before = server.cpu_seconds()
        process = self.start_load(kind, server, *arguments, cpus=cpus, **options)
        report = finished(process)
        report["cpu_seconds"] = server.cpu_seconds() - before
        return report

    def fill(self, data: pathlib.Path, count: int) -> dict:
        """Fills a data directory that no server uses with so many repositories and tags."""
        command = [self.load_program, "fill", "--data", data, "--namespace", "admin", "--count", count]
        filled = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if filled.returncode != 0:
            raise RuntimeError(f"fill: {filled.stderr.strip()}")
        return json.loads(filled.stdout)

    def start_load(self, kind: str, server: Server, *arguments, cpus=None, **options) -> subprocess.Popen:
        """Begins a load, to be `finished`."""
        cpus = cpus or self.all_cpus
        return subprocess.Popen(
            self.command(kind, server, *arguments, **options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def medians(self, contestants: dict, once=lambda: None) -> dict:
        """Lets all contestants run in turn, as often as is wanted, and gives the median of each figure of each.

        `once` runs before each of them.
        """
        reports = {name: [] for name in contestants}
        for _ in range(self.sizes.runs):
            for name, run in contestants.items():
                once()
                reports[name].append(run())
        return {
            name: {figure: statistics.median(report[figure] for report in some) for figure in some[0]}
            for name, some in reports.items()
        }


def finished(process: subprocess.Popen) -> dict:
    """Ends a load, by closing its standard input, and gives its report."""
    output, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(process.args[1:2])}: {errors.strip()}")
    return json.loads(output.splitlines()[-1])


def recycle(place: pathlib.Path, length: int):
    """Lets the disk rest, and takes and gives back as much memory as a run will fill.

    So every run finds memory that was used a moment ago. On a virtual machine the host may have to find each page that
    was not, which costs several times what writing to it costs, and is no server's doing.
    """
    os.sync()
    scratch, piece = place / "scratch", bytes(1 << 20)
    with open(scratch, "wb", buffering=0) as file:
        for _ in range(0, length, len(piece)):
            file.write(piece)
    scratch.unlink()


def drop_from_page_cache(path: pathlib.Path):
    """Makes the next read of a file one of the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
