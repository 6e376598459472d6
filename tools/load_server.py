"""Load a server with many clients at once, and check every answer against the same text said alone.

    python tools/load_server.py --clients 1,4,16 --seconds 60 -o benchmarks/results/serve.jsonl

Starts ``mamtra serve`` for itself, speaks a few texts one after another, then lets each number of
clients ask in a loop. A row for each number: throughput, first audio at the 50th, 95th and 99th
percentile, refusals, wrong answers, and the server's memory.
"""

import argparse
import hashlib
import http.client
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mamtra.benchmark.row import bench_row

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


@dataclass
class Answers:
    """What clients got, from all threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    first_audio: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    audio_seconds: float = 0.0
    wrong: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


def ask(port: int, text: str, seed: int) -> tuple[int, bytes, float, float, int]:
    """One request: status, sound, seconds to the first of it and to its end, samples a second."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    begun = time.perf_counter()
    try:
        body = {"input": text, "seed": seed, "response_format": "pcm", "sample_rate": "native"}
        headers = {"content-type": "application/json"}
        connection.request("POST", "/v1/audio/speech", json.dumps(body), headers)
        answer = connection.getresponse()
        first = answer.read(2)
        first_audio = time.perf_counter() - begun
        data = first + answer.read()
        rate = int(answer.getheader("X-Sample-Rate") or 0)
        return answer.status, data, first_audio, time.perf_counter() - begun, rate
    finally:
        connection.close()


def digest(data: bytes) -> str:
    """A short name of a sound."""
    return hashlib.sha256(data).hexdigest()


def client(
    port: int, number: int, until: float, expected: dict[tuple[int, int], str], answers: Answers
) -> None:
    """Ask until time is up."""
    turn = number
    while time.monotonic() < until:
        text, seed = turn % len(TEXTS), turn // len(TEXTS) % SEEDS
        turn += 1
        status, data, first_audio, whole, rate = ask(port, TEXTS[text], seed)
        with answers.lock:
            answers.statuses[status] += 1
            if status == 200:
                answers.first_audio.append(first_audio)
                answers.whole.append(whole)
                answers.audio_seconds += len(data) / 2 / rate
                answers.wrong += digest(data) != expected[text, seed]
        if status != 200:
            time.sleep(RETRY_SECONDS)


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def percentile(values: list[float], share: float) -> float:
    """A percentile of some values."""
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 4)


def phase(
    port: int, pid: int, clients: int, seconds: float, expected: dict[tuple[int, int], str]
) -> dict:
    """So many clients for so long."""
    answers, before, begun = Answers(), resident_bytes(pid), time.monotonic()
    threads = [
        threading.Thread(target=client, args=(port, n, begun + seconds, expected, answers))
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.monotonic() - begun
    return {
        "clients": clients,
        "seconds": round(spent, 1),
        "answers": answers.statuses[200],
        "refused": sum(answers.statuses.values()) - answers.statuses[200],
        "wrong_answers": answers.wrong,
        "audio_seconds_per_second": round(answers.audio_seconds / spent, 3),
        "first_audio_seconds": {
            f"p{round(100 * share)}": percentile(answers.first_audio, share)
            for share in (0.5, 0.95, 0.99)
        },
        "mean_answer_seconds": round(statistics.mean(answers.whole), 4),
        "resident_bytes_before": before,
        "resident_bytes_after": resident_bytes(pid),
    }


def start(model: str, slots: int, queue: int) -> tuple[subprocess.Popen[str], int]:
    """A server and its port."""
    command = [sys.executable, "-m", "mamtra", "serve", model, "--port", "0"]
    command += ["--slots", str(slots), "--queue", str(queue), "--queue-seconds", "300"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"http://[^:]+:(\d+)", line):
            # read on, so that the server's log never fills the pipe
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, int(found[1])
    raise SystemExit("the server did not start")


def main() -> None:
    """Measure, and add the rows to a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--clients", default="1,4,16")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    server, port = start(given.model, given.slots, given.queue)
    try:
        pairs = [(text, seed) for text in range(len(TEXTS)) for seed in range(SEEDS)]
        expected = {pair: digest(ask(port, TEXTS[pair[0]], pair[1])[1]) for pair in pairs}
        results = []
        for clients in map(int, given.clients.split(",")):
            results.append(phase(port, server.pid, clients, given.seconds, expected))
            print(json.dumps(results[-1]), file=sys.stderr)
    finally:
        server.terminate()
        server.wait(60)
    settings = {"model": given.model, "slots": given.slots, "queue": given.queue, "seed": 0}
    phases = {f"{result['clients']} clients": result for result in results}
    row = bench_row("serve", settings, 1, phases)
    print(json.dumps(row))
    if given.output is not None:
        with given.output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
