"""Rows of memory, and of who waits while many clients are at it."""

import threading

from measure import Bench, bounded, finished
from small import image_on

MEBI = 1 << 20
SCOPES = ["repository:admin/app:pull,push", "repository:admin/app0:pull,push"]


def memory(bench: Bench) -> list:
    """Anonymous memory: at rest, with slow pulls and uploads, and with resting connections besides."""
    sizes = bench.sizes
    crowd, idle = f"{sizes.slow:,} slow pulls, {sizes.uploads} uploads", f"{sizes.idle:,} idle connections"
    _, resting = sampled(bench, slow=0, uploads=0, idle=sizes.idle)
    at_rest, busy = sampled(bench, slow=sizes.slow, uploads=sizes.uploads, idle=0)
    _, fuller = sampled(bench, slow=sizes.slow, uploads=sizes.uploads, idle=sizes.idle)
    lines = [
        bounded("anonymous memory at rest, after a sign-in, a push and a pull", "MiB", at_rest / MEBI, below=25),
        bounded(f"anonymous memory, {idle}", "MiB", resting["memory"] / MEBI),
    ]
    for who, figures in ((crowd, busy), (f"{crowd}, {idle}", fuller)):
        lines += [
            bounded(f"anonymous memory, {who}", "MiB", figures["memory"] / MEBI, below=150),
            bounded(f"manifest GET meanwhile, {who}: p99", "ms", figures["p99"], comment=fairness(figures)),
        ]
    return lines


def fairness(figures: dict) -> str:
    """What the one that was best off got, and the one that was worst off."""
    slow, uploads = figures["slow_bytes"], figures["uploads"]
    return (f"p50 {figures['p50']:.2f} ms, max {figures['max']:.0f} ms; each slow pull got {slow['least'] / 1024:,.0f} to "
            f"{slow['most'] / 1024:,.0f} KiB in {figures['seconds']:.0f} s; each uploader finished {uploads['least']} to "
            f"{uploads['most']} of 16 MiB, {uploads['sum']} in all")


def sampled(bench: Bench, slow: int, uploads: int, idle: int) -> tuple:
    """Bytes at rest, and figures while a crowd is there."""
    sizes = bench.sizes
    with bench.directory() as place:
        with bench.ours(place, scopes=SCOPES) as ours:
            image_on(bench, ours)
            blob = bench.load("blob", ours, "admin/app", bytes=max(sizes.blob_bytes, 64 * MEBI), seed=bench.seed())
            at_rest = ours.anonymous_bytes()
            crowd = bench.start_load("crowd", ours, f"/v2/admin/app/blobs/{blob['digest']}", "admin/app",
                                     slow=slow, uploads=uploads, idle=idle)
            if not crowd.stdout.readline():
                finished(crowd)
            with Peak(ours.anonymous_bytes) as peak:
                asked = bench.load("requests", ours, "/v2/admin/app0/manifests/v0", interval_ms=5,
                                   seconds=sizes.crowd_seconds)
            report = finished(crowd)
    return at_rest, {"memory": peak.bytes, "p50": asked["p50_ms"], "p99": asked["p99_ms"], "max": asked["max_ms"],
                     **report}


class Peak:
    """The most that a figure reached while this was entered."""

    def __init__(self, figure):
        self._figure, self._is_over = figure, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.bytes = 0

    def _watch(self):
        while not self._is_over.wait(0.05):
            self.bytes = max(self.bytes, self._figure())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
