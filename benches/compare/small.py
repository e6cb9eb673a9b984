"""Rows of small requests: manifests by tag, blobs by HEAD, and pages of listings."""

import json

from measure import Bench, Line, compared

CONNECTIONS = 8


def image_on(bench: Bench, server) -> bytes:
    """Pushes an image as `admin/app0:v0` and gives its manifest."""
    bench.load("images", server, "admin/app", connections=1, seconds=0, seed=bench.seed())
    return server.get("/v2/admin/app0/manifests/v0", Accept="application/vnd.oci.image.manifest.v1+json")


def rates(bench: Bench, requests: dict, method: str) -> dict:
    """Requests in a second of each server, each for its path, and what they cost it."""

    def ask(server, path):
        report = bench.load("requests", server, path, method=method, connections=CONNECTIONS,
                            seconds=bench.sizes.seconds, cpus=bench.client_cpus)
        return {"rate": report["per_second"], "cpu_us": report["cpu_seconds"] / report["count"] * 1e6}

    return bench.medians({server.name: lambda server=server, path=path: ask(server, path)
                          for server, path in requests.items()})


def cost(what: str, figures: dict) -> list:
    """The processor time of a request, beside that of each of the others."""
    ours = figures["registry"]["cpu_us"]
    return [compared(what, "CPU µs", ours, name, other["cpu_us"])
            for name, other in figures.items() if name != "registry"]


def manifest(bench: Bench) -> list:
    """GET of a manifest by tag; nginx serves its bytes as a file."""
    with bench.directory() as place:
        scopes, cpus = ["repository:admin/app0:pull,push"], bench.server_cpus
        with (bench.ours(place, scopes=scopes, cpus=cpus) as ours, bench.docker_registry(place, cpus) as docker,
              bench.nginx(place, cpus) as nginx):
            (nginx.root / "manifest").write_bytes(image_on(bench, ours))
            image_on(bench, docker)
            path = "/v2/admin/app0/manifests/v0"
            figures = rates(bench, {ours: path, docker: path, nginx: "/manifest"}, "GET")
    what, rate = f"manifest GET by tag, {CONNECTIONS} connections", figures["registry"]["rate"]
    return [
        compared(what, "/s", rate, docker.name, figures[docker.name]["rate"], at_least=15),
        compared(what, "/s", rate, nginx.name, figures[nginx.name]["rate"], at_least=0.5),
        *cost(what, figures),
    ]


def head(bench: Bench) -> list:
    """HEAD of a blob."""
    with bench.directory() as place:
        scopes, cpus = ["repository:admin/app0:pull,push"], bench.server_cpus
        with bench.ours(place, scopes=scopes, cpus=cpus) as ours, bench.docker_registry(place, cpus) as docker:
            requests = {}
            for server in (ours, docker):
                layer = json.loads(image_on(bench, server))["layers"][0]["digest"]
                requests[server] = f"/v2/admin/app0/blobs/{layer}"
            figures = rates(bench, requests, "HEAD")
    what, rate = f"HEAD of a blob, {CONNECTIONS} connections", figures["registry"]["rate"]
    return [compared(what, "/s", rate, docker.name, figures[docker.name]["rate"], at_least=10), *cost(what, figures)]


def listings(bench: Bench) -> list:
    """A page of 100 from the middle, of few entries and of many, each in a registry of its own."""
    few, many = bench.sizes.entries
    with bench.directory() as place:
        servers, lines = {}, []
        for count in (few, many):
            home = place / str(count)
            home.mkdir()
            with bench.ours(home) as fresh:
                data = fresh.data
            filled = bench.fill(data, count)
            lines.append(Line(f"filling a registry with {count:,} repositories and {count:,} tags",
                              f"{filled['seconds']:.0f} s"))
            servers[count] = home
        scopes = ["repository:admin/tags:pull", "registry:catalog:*"]
        with bench.ours(servers[few], scopes=scopes) as small, bench.ours(servers[many], scopes=scopes) as large:
            for what, path in (("tags/list", "/v2/admin/tags/tags/list?n=100&last=t{:07}"),
                               ("catalog", "/v2/_catalog?n=100&last=admin/r{:07}")):
                figures = bench.medians({
                    count: lambda server=server, count=count: page(bench, server, path.format(count // 2 - 1))
                    for count, server in ((few, small), (many, large))})
                lines.append(compared(f"{what} page of 100 at {many:,} entries", "ms", figures[many]["p50_ms"],
                                      f"at {few:,}", figures[few]["p50_ms"], at_most=2))
    return lines


def page(bench: Bench, server, path: str) -> dict:
    listed = json.loads(server.get(path))
    if len(listed.get("tags") or listed.get("repositories")) != 100:
        raise RuntimeError(f"{path} does not give a page of 100")
    return {"p50_ms": bench.load("requests", server, path, seconds=min(bench.sizes.seconds, 2))["p50_ms"]}


