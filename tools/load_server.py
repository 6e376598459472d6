"""Load a server with many clients at once, and check every answer against the same text said alone.

    python tools/load_server.py --clients 1,4,16,64 --seconds 300 \
        -o benchmarks/results/serve.jsonl --figure docs/pictures/serve.png

Starts ``mamtra serve`` for itself and lets each number of clients ask in a loop. Before and after
each number, the same texts are spoken as streams one after another, without the server. Figures for
each number: seconds of speech a second, and how many times those of one after another they are,
first audio at the 50th, 95th and 99th percentile, answers that a player would have waited for,
refusals, broken connections, wrong answers, the server's memory while it went on, and its CPU time
for a second of speech, which other work on the machine changes less than throughput.
"""

import argparse
import hashlib
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mamtra.benchmark.row import bench_row
from mamtra.figures.picture import save_picture
from mamtra.synthesis.load import load
from mamtra.synthesis.synthesizer import Synthesizer

TEXTS = (
    "Good morning.",
    "The weather was fine, so we walked along the river until evening.",
    "Please close the window before you go to bed.",
    "It costs three dollars and fifty cents, and it is worth every one of them.",
    "Nobody knew why the old clock had stopped at noon.",
    "Did anyone see where the small grey cat went last night?",
    "Rain fell on the empty streets. A dog barked far away. Then it was quiet again.",
    "Seven trains leave the station every hour, and the last one leaves at midnight.",
)
SEEDS = 2
RETRY_SECONDS = 0.2  # a refused client asks again after this, whatever it was told
LOOK_SECONDS = 5.0  # between two looks at the server's memory
PREBUFFER_SECONDS = 0.1  # that a player waits after the first sound, as the page's does
SHARES = (0.5, 0.95, 0.99)


@dataclass
class Answer:
    """One answer: status, sound, and when it came.

    Attributes:
        first: seconds to the first sound.
        whole: seconds to the end.
        late: seconds by which a player that began at the first sound would have waited.
    """

    status: int
    data: bytes
    rate: int
    first: float
    whole: float
    late: float


@dataclass
class Answers:
    """What clients got, from all threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    first_audio: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    audio_seconds: float = 0.0
    wrong: int = 0
    late: int = 0
    broken: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


def ask(port: int, text: str, seed: int) -> Answer:
    """One request.

    Raises:
        OSError: the connection broke; so does ``http.client.HTTPException``.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    begun = time.perf_counter()
    try:
        body = {"input": text, "seed": seed, "response_format": "pcm", "sample_rate": "native"}
        headers = {"content-type": "application/json"}
        connection.request("POST", "/v1/audio/speech", json.dumps(body), headers)
        answer = connection.getresponse()
        rate = int(answer.getheader("X-Sample-Rate") or 0)
        data, first, late = bytearray(), 0.0, 0.0
        while part := answer.read1(1 << 16):
            now = time.perf_counter() - begun
            first = first or now
            if rate:
                late = max(late, now - first - len(data) / 2 / rate)
            data += part
        return Answer(answer.status, bytes(data), rate, first, time.perf_counter() - begun, late)
    finally:
        connection.close()


def digest(data: bytes) -> str:
    """A short name of a sound."""
    return hashlib.sha256(data).hexdigest()


Expected = dict[tuple[int, int], str]


def client(port: int, number: int, until: float, expected: Expected, answers: Answers) -> None:
    """Ask until time is up."""
    turn = number
    while time.monotonic() < until:
        text, seed = turn % len(TEXTS), turn // len(TEXTS) % SEEDS
        turn += 1
        try:
            answer = ask(port, TEXTS[text], seed)
        except (OSError, http.client.HTTPException):
            with answers.lock:
                answers.broken += 1
            time.sleep(RETRY_SECONDS)
            continue
        with answers.lock:
            answers.statuses[answer.status] += 1
            if answer.status == 200:
                answers.first_audio.append(answer.first)
                answers.whole.append(answer.whole)
                answers.audio_seconds += len(answer.data) / 2 / answer.rate
                answers.wrong += digest(answer.data) != expected[text, seed]
                answers.late += answer.late > PREBUFFER_SECONDS
        if answer.status != 200:
            time.sleep(RETRY_SECONDS)


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far, on all cores."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf(
        "SC_CLK_TCK"
    )  # man 5 proc: utime, stime


def percentiles(values: list[float]) -> dict[str, float]:
    """Some percentiles; none of no values."""
    ranked = sorted(values)
    return {
        f"p{round(100 * share)}": round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 4)
        for share in SHARES
        if ranked
    }


def phase(port: int, pid: int, clients: int, seconds: float, expected: Expected) -> dict[str, Any]:
    """So many clients for so long."""
    answers, memory, begun = Answers(), [resident_bytes(pid)], time.monotonic()
    computed = cpu_seconds(pid)
    threads = [
        threading.Thread(target=client, args=(port, n, begun + seconds, expected, answers))
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            memory.append(resident_bytes(pid))
    spent = time.monotonic() - begun
    return {
        "clients": clients,
        "seconds": round(spent, 1),
        "answers": answers.statuses[200],
        "refused": sum(answers.statuses.values()) - answers.statuses[200],
        "broken": answers.broken,
        "wrong_answers": answers.wrong,
        "audio_seconds_per_second": round(answers.audio_seconds / spent, 3),
        "cpu_seconds_per_audio_second": round(
            (cpu_seconds(pid) - computed) / max(answers.audio_seconds, 1e-9), 5
        ),
        "first_audio_seconds": percentiles(answers.first_audio),
        "answers_a_player_waits_for": answers.late,
        "mean_answer_seconds": round(statistics.mean(answers.whole), 4) if answers.whole else None,
        "resident_bytes": {
            "first": memory[0],
            "half": memory[len(memory) // 2],
            "last": memory[-1],
            "most": max(memory),
        },
    }


def one_after_another(synthesizer: Synthesizer) -> dict[str, Any]:
    """The same texts as streams in one thread, without a server: what many at once compare with."""
    begun, computed, audio = time.monotonic(), time.process_time(), 0.0
    for seed in range(SEEDS):
        for text in TEXTS:
            audio += sum(piece.seconds for piece in synthesizer.stream(text, seed=seed))
    spent = time.monotonic() - begun
    return {
        "seconds": round(spent, 1),
        "audio_seconds_per_second": round(audio / spent, 3),
        "cpu_seconds_per_audio_second": round((time.process_time() - computed) / audio, 5),
    }


def start(model: str, slots: int, queue: int, more: Sequence[str]) -> tuple[Any, int]:
    """A server and its port."""
    command = [sys.executable, "-m", "mamtra", "serve", model, "--port", "0"]
    command += ["--slots", str(slots), "--queue", str(queue), "--queue-seconds", "300", *more]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"http://[^:]+:(\d+)", line):
            # read on, so that the server's log never fills the pipe
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, int(found[1])
    raise SystemExit("the server did not start")


def paint(results: Sequence[dict[str, Any]]) -> Any:
    """Bars of throughput, lines of first audio, over the number of clients."""

    def fill(axes: Any) -> None:
        """Fill the axes."""
        names = [str(result["clients"]) for result in results]
        axes.bar(names, [one["audio_seconds_per_second"] for one in results], color="#9db8d9")
        axes.set_xlabel("clients at once")
        axes.set_ylabel("seconds of speech a second (bars)")
        right = axes.twinx()
        for share in results[0]["first_audio_seconds"]:
            found = [one["first_audio_seconds"].get(share) for one in results]
            right.plot(names, found, marker="o", label=f"first sound, {share}")
        right.set_yscale("log")
        right.set_ylabel("seconds to the first sound (lines)")
        right.legend(loc="upper left")

    return fill


def main() -> None:
    """Measure, add the row to a file, draw it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--clients", default="1,4,16")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--note", default="", help="what else there is to say, into the row")
    parser.add_argument("--serve", default="", help="further options of mamtra serve")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    synthesizer = load(given.model, threads=1)
    list(synthesizer.stream(TEXTS[0]))  # the first one loads what is loaded late
    alone = [one_after_another(synthesizer)]
    print(json.dumps(alone[-1]), file=sys.stderr)
    server, port = start(given.model, given.slots, given.queue, given.serve.split())
    try:
        pairs = [(text, seed) for text in range(len(TEXTS)) for seed in range(SEEDS)]
        expected = {pair: digest(ask(port, TEXTS[pair[0]], pair[1]).data) for pair in pairs}
        results = []
        for clients in map(int, given.clients.split(",")):
            found = phase(port, server.pid, clients, given.seconds, expected)
            alone.append(one_after_another(synthesizer))
            single = statistics.mean(one["audio_seconds_per_second"] for one in alone[-2:])
            found["times_one_after_another"] = round(found["audio_seconds_per_second"] / single, 3)
            results.append(found)
            print(json.dumps(alone[-1]), json.dumps(found), file=sys.stderr)
    finally:
        server.terminate()
        server.wait(60)
    settings = {
        "model": given.model,
        "slots": given.slots,
        "queue": given.queue,
        "seconds": given.seconds,
        "serve": given.serve,
        "note": given.note,
        "seed": 0,
    }
    phases = {f"one after another, {turn}": one for turn, one in enumerate(alone)} | {
        f"{result['clients']} clients": result for result in results
    }
    row = bench_row("serve", settings, 1, phases, ("onnxruntime", "starlette", "uvicorn"))
    print(json.dumps(row))
    if given.output is not None:
        with given.output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    if given.figure is not None:
        save_picture(given.figure, paint(sorted(results, key=lambda one: one["clients"])), row)


if __name__ == "__main__":
    main()
