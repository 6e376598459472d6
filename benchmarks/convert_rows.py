"""Turn rows of the ten former ``mamtra bench`` commands into the one form of today, in place.

    python benchmarks/convert_rows.py benchmarks/results/*.jsonl

Figures are moved and renamed, never computed anew; a converted row says so under ``converted``.
Rows of today's form and rows of ``mamtra evaluate`` stay as they are.
"""

import json
import sys
from pathlib import Path
from typing import Any

RENAMED = {
    "times_reference": "times_baseline",
    "times_reference_in_cpu_seconds": "times_baseline_in_cpu_seconds",
    "of_reference": "of_baseline",
    "device_of_reference": "device_of_baseline",
    "yardstick": "baseline",
}
PROCESSES = ("python", "torch", "import", "say")


def renamed(value: Any) -> Any:
    """The same with today's names."""
    if isinstance(value, dict):
        return {RENAMED.get(name, name): renamed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner) for inner in value]
    return value


def decode(row: dict[str, Any]) -> dict[str, Any]:
    """Of ``speed``, ``memory`` and ``compare``."""
    reference = row["reference"]
    settings = row["settings"] | {"baseline": RENAMED.get(reference, reference)}
    return {
        "benchmark": "decode",
        "settings": settings,
        "rounds": row["rounds"],
        "results": renamed(row["lines"]),
    }


def say(row: dict[str, Any]) -> dict[str, Any]:
    """Of ``say``."""
    results = {
        name: {key: row[key][name] for key in ("seconds", "cpu_seconds", "peak_bytes")}
        for name in PROCESSES
    }
    for name, times in row["times_import_torch"].items():
        results[name]["times_import_torch"] = times
    results["say"] |= {key: row[key] for key in ("audio_seconds", "real_time_factor")}
    return {
        "benchmark": "speak",
        "settings": {key: row[key] for key in ("model", "voice", "text")},
        "rounds": row["runs"],
        "results": results,
    }


def stream(row: dict[str, Any]) -> dict[str, Any]:
    """Of ``stream``."""
    keys = ("first_audio_seconds", "audio_seconds", "pieces", "longest_wait_seconds")
    told = {key: row[key] for key in (*keys, "first_audio_of_say", "mel_distance")}
    told |= {
        "seconds": row["stream_seconds"],
        "times_say": row["stream_of_say"],
        "real_time_factor": {"whole": row["real_time_factor"]},
    }
    return {
        "benchmark": "speak",
        "settings": {key: row[key] for key in ("model", "voice", "text")},
        "rounds": row["runs"],
        "results": {"warm say": {"seconds": row["say_seconds"]}, "stream": told},
    }


def long(row: dict[str, Any]) -> dict[str, Any]:
    """Of ``long``."""
    factors = row["real_time_factor"]
    keys = ("pieces", "audio_seconds", "peak_bytes", "state_bytes", "stop_reasons", "file_bytes")
    results: dict[str, Any] = {
        "chapter": {key: row[key] for key in keys} | {"real_time_factor": factors["whole"]}
    }
    for place, held in row["resident_bytes"].items():
        results[place.replace("_", " ")] = {"resident_bytes": held}
    for part in ("first_quarter", "last_quarter"):
        results[part.replace("_", " ")] = {"real_time_factor": factors[part]}
    return {
        "benchmark": "long",
        "settings": {key: row[key] for key in ("model", "voice", "state", "sentences")},
        "rounds": 1,
        "results": results,
    }


def chain(row: dict[str, Any]) -> dict[str, Any]:
    """Of ``chain``."""
    results = {name: dict(told) for name, told in row["stages"].items()}
    for kind, parts in row["real_time_factor"].items():
        for part, factor in parts.items():
            if part in results:
                results[part].setdefault("real_time_factor", {})[kind] = factor
    used = ("benchmark", "stages", "real_time_factor", "audio_seconds", "provenance")
    return {
        "benchmark": "stages",
        "settings": {key: value for key, value in row.items() if key not in used},
        "rounds": 1,
        "results": results,
    }


FORMS = {
    "speed": decode,
    "memory": decode,
    "compare": decode,
    "say": say,
    "stream": stream,
    "long": long,
    "chain": chain,
}


def converted(row: dict[str, Any]) -> dict[str, Any]:
    """A row in today's form."""
    former = row.get("benchmark")
    if "results" in row or former not in FORMS:
        return row
    note = f"from the form of mamtra bench {former} by benchmarks/convert_rows.py"
    return FORMS[former](row) | {"provenance": row["provenance"], "converted": note}


def main() -> None:
    """Convert every file that is named."""
    for name in sys.argv[1:]:
        path = Path(name)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(converted(row)) + "\n" for row in rows))


if __name__ == "__main__":
    main()
