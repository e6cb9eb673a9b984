"""The servers that are compared: each on a port of its own, stopped with all that it started."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.parse
import urllib.request

USER, PASSWORD = "admin", "correct-horse"


class NotRun(Exception):
    """Why something could not be measured here."""


def needed(program: str) -> str:
    """The path of a program, also where only the administrator has it."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise NotRun(f"{program} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that serves on 127.0.0.1, and what can be asked of it."""

    def __init__(self, command: list, cpus: set, log: pathlib.Path, **options):
        self.log = log
        with open(log, "ab") as output:
            options.setdefault("stdout", output)
            self.process = subprocess.Popen(
                [str(part) for part in command], stderr=output, stdin=subprocess.DEVNULL,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus), **options)
        self.token, self.ca = None, None

    def pids(self) -> list:
        """The process and its children."""
        pid = self.process.pid
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except FileNotFoundError:
            return []
        return [pid, *map(int, children.split())]

    def cpu_seconds(self) -> float:
        """User and system time of all threads so far."""
        ticks = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def wait_until_open(self):
        """Returns once the port takes connections."""
        while True:
            if self.process.poll() is not None:
                raise NotRun(f"{self.name} ended at its start: {self.log.read_text()[-300:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                pass

    def get(self, path: str, **headers) -> bytes:
        """The body of an answer, fetched outside of what is measured."""
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return fetch(f"{self.url}{path}", headers, ca=self.ca)

    def stop(self):
        if self.process.poll() is None:
            # The last one is the server, where a tracer runs it.
            os.kill(self.pids()[-1] if self.is_traced else self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    is_traced = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def fetch(url: str, headers: dict, body: bytes | None = None, ca=None) -> bytes:
    context = ssl.create_default_context(cafile=ca) if ca else None
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, context=context) as answer:
        return answer.read()


class Ours(Server):
    """The registry: durable writes, a user, and a bearer token."""

    name = "registry"

    def __init__(self, program, place: pathlib.Path, cpus: set, scopes: list, pair=None, traced_delay_ms=0):
        place.mkdir(exist_ok=True)
        self.data = place / "data"
        (place / "config.yaml").write_text("FEATURE_USER_INITIALIZE: true\n")
        if pair:
            shutil.copy(pair[0], place / "ssl.cert")
            shutil.copy(pair[1], place / "ssl.key")
        command = [program, "serve", "--config", place / "config.yaml", "--data", self.data,
                   "--listen", "127.0.0.1:0"]
        if traced_delay_ms:
            syncs, self.is_traced = "fsync,fdatasync", True
            command = [needed("strace"), "-f", "-q", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={syncs}",
                       "-e", f"inject={syncs}:delay_exit={traced_delay_ms * 1000}", "--", *command]
        super().__init__(command, cpus, place / "log", stdout=subprocess.PIPE, text=True)
        try:
            self._sign_in(scopes, pair)
        except BaseException:
            self.stop()
            raise

    def _sign_in(self, scopes: list, pair):
        first = self.process.stdout.readline()
        found = re.fullmatch(r"listening on ((https?)://127\.0\.0\.1:(\d+))\n", first)
        if found is None:
            raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")
        self.url, self.port = found[1], int(found[3])
        if pair:
            if found[2] == "http":
                raise NotRun("the server does not serve HTTPS")
            self.ca = pair[0]
        if not (self.data / ".initialized").exists():
            body = json.dumps({"username": USER, "password": PASSWORD}).encode()
            fetch(f"{self.url}/api/v1/user/initialize", {"Content-Type": "application/json"}, body, self.ca)
            (self.data / ".initialized").touch()
        form = [("grant_type", "password"), ("username", USER), ("password", PASSWORD),
                ("service", f"127.0.0.1:{self.port}"), ("scope", " ".join(scopes))]
        answer = fetch(f"{self.url}/v2/auth", {"Content-Type": "application/x-www-form-urlencoded"},
                       urllib.parse.urlencode(form).encode(), self.ca)
        self.token = json.loads(answer)["token"]

    def blob_file(self, digest: str) -> pathlib.Path:
        """Where the bytes of a blob lie."""
        return next((self.data / "blobs").rglob(f"*{digest.partition(':')[2]}"))

    def anonymous_bytes(self) -> int:
        """RssAnon of the process."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024

    def read_bytes(self) -> int:
        """What the process has made the disk read."""
        counters = pathlib.Path(f"/proc/{self.process.pid}/io").read_text()
        return int(re.search(r"^read_bytes: (\d+)", counters, re.M)[1])


class DockerRegistry(Server):
    """Debian's docker-registry with its defaults, and without authentication."""

    name = "docker-registry"

    def __init__(self, place: pathlib.Path, cpus: set):
        program = needed("docker-registry")
        place.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = {
            "version": "0.1",
            "log": {"fields": {"service": "registry"}},
            "storage": {"cache": {"blobdescriptor": "inmemory"}, "delete": {"enabled": True},
                        "filesystem": {"rootdirectory": str(place / "data")}},
            "http": {"addr": f"127.0.0.1:{self.port}", "headers": {"X-Content-Type-Options": ["nosniff"]}},
            "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
        }
        (place / "config.yml").write_text(json.dumps(config))
        super().__init__([program, "serve", place / "config.yml"], cpus, place / "log")
        self.wait_until_open()


class Nginx(Server):
    """nginx, serving files: one worker for each processor it may use, no access log."""

    name = "nginx"

    def __init__(self, place: pathlib.Path, cpus: set, pair=None):
        program = needed("nginx")
        self.root = place / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        self.port, self.url = free_port(), ""
        tls = f" ssl; ssl_certificate {pair[0]}; ssl_certificate_key {pair[1]}" if pair else ""
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {place}/{kind}; "
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (place / "nginx.conf").write_text(f"""
            {user} worker_processes {len(cpus)}; daemon off; pid {place}/pid; error_log stderr warn;
            events {{ worker_connections 4096; }}
            http {{
                sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000000; {temporary}
                server {{ listen 127.0.0.1:{self.port}{tls}; root {self.root}; }}
            }}""")
        super().__init__([program, "-p", place, "-c", place / "nginx.conf"], cpus, place / "log")
        self.ca = pair[0] if pair else None
        self.wait_until_open()

    def serve(self, file: pathlib.Path, name: str):
        """Serves the same bytes, from the same pages of memory, under `/name`."""
        os.link(file, self.root / name)
