"""Rows of many bytes: pulls and pushes."""

import os
import subprocess
import time

from measure import Bench, bounded, compared, drop_from_page_cache, finished, recycle
from peers import needed

SCOPES = ["repository:admin/app:pull,push"]
GIGA = 1e9


def images(bench: Bench) -> list:
    """Distinct small images, each client into a repository of its own."""
    connections = 8
    with bench.directory() as place:
        with bench.ours(place, scopes=repositories(connections)) as ours, bench.docker_registry(place) as docker:
            figures = bench.medians({server.name: lambda server=server: push_images(bench, server, connections)
                                     for server in (ours, docker)},
                                    once=lambda: recycle(place, bench.sizes.blob_bytes))
    what, theirs = f"push of small images, {connections} connections", figures[docker.name]
    return [
        compared(what, "images/s", figures[ours.name]["rate"], docker.name, theirs["rate"], at_least=3),
        compared(what, "CPU ms", figures[ours.name]["cpu_ms"], docker.name, theirs["cpu_ms"]),
    ]


def slow_disk(bench: Bench) -> list:
    """The same, with 5 ms added to each sync: many clients share syncs, so they are faster together."""
    few, many = 8, 64
    with bench.directory() as place:
        with bench.ours(place, scopes=repositories(many), traced_delay_ms=5) as ours:
            figures = bench.medians({count: lambda count=count: push_images(bench, ours, count)
                                     for count in (few, many)},
                                    once=lambda: recycle(place, bench.sizes.blob_bytes))
    return [compared(f"push of small images, 5 ms added to each sync, {many} connections", "images/s",
                     figures[many]["rate"], f"{few} connections", figures[few]["rate"], at_least=5)]


def repositories(count: int) -> list:
    return [f"repository:admin/app{number}:pull,push" for number in range(count)]


def push_images(bench: Bench, server, connections: int) -> dict:
    report = bench.load("images", server, "admin/app", connections=connections, seconds=bench.sizes.seconds,
                        seed=bench.seed())
    return {"rate": report["per_second"], "cpu_ms": report["cpu_seconds"] / report["count"] * 1e3}


def pull(bench: Bench, pair=None) -> list:
    """A large blob from the page cache; nginx serves the very file of the registry's."""
    connections, cpus = 4, bench.server_cpus
    with bench.directory() as place:
        with bench.ours(place, cpus=cpus, pair=pair) as ours, bench.nginx(place, cpus, pair) as nginx:
            digest = push_blob(bench, ours)["digest"]
            nginx.serve(ours.blob_file(digest), "blob")
            paths = {ours: f"/v2/admin/app/blobs/{digest}", nginx: "/blob"}
            os.sync()

            def run(server):
                report = bench.load("pull", server, paths[server], connections=connections, times=bench.sizes.pulls,
                                    cpus=bench.client_cpus)
                return per_gigabyte(report)

            figures = bench.medians({server.name: lambda server=server: run(server) for server in paths})
    least, most = (0.9, 1.1) if pair else (0.85, 1.25)
    what = f"pull of {size(bench)}{' over TLS' if pair else ''}, {connections} connections"
    mine, theirs = figures[ours.name], figures[nginx.name]
    return [
        compared(what, "GB/s", mine["rate"], nginx.name, theirs["rate"], at_least=least),
        compared(what, "CPU s/GB", mine["cpu"], nginx.name, theirs["cpu"], at_most=most),
    ]


def pull_tls(bench: Bench) -> list:
    """The same over TLS, with the same certificate."""
    return pull(bench, bench.pair)


def cold(bench: Bench) -> list:
    """Small pulls by one client while another pulls a large blob that has to come from the disk."""
    with bench.directory() as place:
        with bench.ours(place, cpus=bench.server_cpus) as ours:
            large = push_blob(bench, ours)["digest"]
            small = push_blob(bench, ours, size=4096)["digest"]
            file = ours.blob_file(large)

        def run():
            drop_from_page_cache(file)
            # Started anew, since pages that the process had mapped would stay.
            with bench.ours(place, cpus=bench.server_cpus) as server:
                path = f"/v2/admin/app/blobs/{{}}"
                bench.load("requests", server, path.format(small), seconds=0.1, cpus=bench.client_cpus)
                before = server.read_bytes()
                pulling = bench.start_load("pull", server, path.format(large), cpus=bench.client_cpus)
                samples = bench.load("requests", server, path.format(small), interval_ms=2,
                                     seconds=bench.sizes.cold_seconds, cpus=bench.client_cpus)
                pulled = finished(pulling)
                return {"p50": samples["p50_ms"], "p99": samples["p99_ms"], "max": samples["max_ms"],
                        "rate": pulled["bytes"] / pulled["seconds"] / GIGA,
                        "from_disk": (server.read_bytes() - before) / bench.sizes.blob_bytes}

        figures = bench.medians({"registry": run})["registry"]
    comment = (f"p50 {figures['p50']:.2f} ms, max {figures['max']:.2f} ms; the large one: {figures['rate']:.2f} GB/s, "
               f"{figures['from_disk']:.0%} from disk")
    return [bounded(f"pull of 4 KiB while another reads a cold {size(bench)}, p99", "ms", figures["p99"], below=10,
                    comment=comment)]


def push(bench: Bench) -> list:
    """A large blob over one connection, beside hashing the same bytes and writing them durably."""
    with bench.directory() as place:
        source, written = place / "source", place / "written"
        make_file(source, bench.sizes.blob_bytes)
        with bench.ours(place) as ours, bench.docker_registry(place) as docker:
            figures = bench.medians({
                ours.name: lambda: per_gigabyte(push_blob(bench, ours)),
                docker.name: lambda: per_gigabyte(push_blob(bench, docker)),
                "openssl dgst": lambda: timed(bench, [needed("openssl"), "dgst", "-sha256", source]),
                "dd": lambda: timed(bench, [needed("dd"), f"if={source}", f"of={written}", "bs=1M", "conv=fsync"]),
            }, once=lambda: recycle(place, bench.sizes.blob_bytes))
    what, mine = f"push of {size(bench)}, one connection", figures[ours.name]
    slower = min(("openssl dgst", "dd"), key=lambda name: figures[name]["rate"])
    faster = ({"openssl dgst", "dd"} - {slower}).pop()
    return [
        compared(what, "GB/s", mine["rate"], docker.name, figures[docker.name]["rate"], at_least=3),
        compared(what, "GB/s", mine["rate"], slower, figures[slower]["rate"], at_least=0.6),
        compared(what, "GB/s", mine["rate"], faster, figures[faster]["rate"]),
        compared(what, "CPU s/GB", mine["cpu"], docker.name, figures[docker.name]["cpu"]),
    ]


def push_tls(bench: Bench) -> list:
    """The same over TLS, beside ours without it."""
    with bench.directory() as place:
        (place / "tls").mkdir()
        with bench.ours(place / "tls", pair=bench.pair) as tls, bench.ours(place) as plain:
            figures = bench.medians({
                "tls": lambda: per_gigabyte(push_blob(bench, tls)),
                "plain": lambda: per_gigabyte(push_blob(bench, plain)),
            }, once=lambda: recycle(place, bench.sizes.blob_bytes))
    what = f"push of {size(bench)} over TLS, one connection"
    return [
        compared(what, "GB/s", figures["tls"]["rate"], "plain", figures["plain"]["rate"], at_least=0.5),
        compared(what, "CPU s/GB", figures["tls"]["cpu"], "plain", figures["plain"]["cpu"]),
    ]


def push_blob(bench: Bench, server, size: int | None = None) -> dict:
    return bench.load("blob", server, "admin/app", bytes=size or bench.sizes.blob_bytes, seed=bench.seed())


def per_gigabyte(report: dict) -> dict:
    return {"rate": report["bytes"] / report["seconds"] / GIGA,
            "cpu": report["cpu_seconds"] / (report["bytes"] / GIGA)}


def timed(bench: Bench, command: list) -> dict:
    start = time.monotonic()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return {"rate": bench.sizes.blob_bytes / (time.monotonic() - start) / GIGA}


def make_file(path, length: int):
    piece = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for _ in range(0, length, len(piece)):
            file.write(piece)


def size(bench: Bench) -> str:
    return f"{bench.sizes.blob_bytes >> 20} MiB"
