"""Medians over the rounds of scripts/bench/ai.sh: a table, and bench/results/<date>-ai.json."""
import datetime
import json
import pathlib
import re
import statistics
import subprocess
import sys

work, rounds, seconds, rates, portkey = sys.argv[1:6]
CONTESTANTS = ["direct", "portkey", "brainops"]
FIGURES = ["achieved", "failed", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "first_p50_ms", "first_p99_ms"]


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def medians(contestant, kind, rate):
    runs = [
        json.loads(pathlib.Path(work, f"load-{contestant}-{kind}-{rate}-{turn}.json").read_text())
        for turn in range(1, int(rounds) + 1)
    ]
    return {name: statistics.median(run[name] for run in runs) for name in FIGURES}


results, summary = {}, {}
print(f"{'':28}{'achieved':>10}{'failed':>8}{'p50 ms':>9}{'p99 ms':>9}{'first p50':>11}{'first p99':>11}")
for kind in ["whole", "stream"]:
    for rate in rates.split():
        row = {contestant: medians(contestant, kind, rate) for contestant in CONTESTANTS}
        results[f"{kind}_{rate}"] = row
        for contestant in CONTESTANTS:
            found = row[contestant]
            print(
                f"{kind:8}{rate:>6}/s  {contestant:12}{found['achieved']:10.0f}{found['failed']:8.0f}{found['p50_ms']:9.3f}"
                f"{found['p99_ms']:9.3f}{found['first_p50_ms']:11.3f}{found['first_p99_ms']:11.3f}"
            )
        for contestant in ["portkey", "brainops"]:
            for figure in ["p50_ms", "p99_ms", "first_p50_ms"]:
                added = row[contestant][figure] - row["direct"][figure]
                summary[f"{contestant}_{kind}_{rate}_added_{figure}"] = round(added, 3)
streams = json.loads(pathlib.Path(work, "streams.json").read_text())
summary["slow_streams_added_kib"] = streams["peak_kib"] - streams["before_kib"]
today = datetime.date.today().isoformat()
cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
document = {
    "bench": "model calls through gateway and ai",
    "date": today,
    "machine": {
        "cpu": re.search(r"model name\s+: (.*)", cpuinfo)[1],
        "cores": len(re.findall("^processor", cpuinfo, re.M)),
    },
    "versions": {"portkey": portkey, "node": first_line("node", "--version"), "rustc": first_line("rustc", "--version")},
    "method": f"{rounds} rounds, every contestant in every round on a machine that has come to rest, open loop for {seconds} s each after "
    "2 s that do not count; medians over the rounds. "
    "Load, contestants, PostgreSQL, RabbitMQ and the ready-made provider share the machine. BrainOps: release build of "
    "everything in one process, one worker a service, API key exchanged and cached, one quota, usage and events recorded, "
    "log at info to a file. Portkey: its defaults, no key, quota or usage of its own.",
    "results": results,
    "slow_streams": streams,
    "summary": summary,
}
out = pathlib.Path("bench/results", f"{today}-ai.json")
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(document, indent=2) + "\n")
print(f"{streams['streams']} slow streams at once: {streams['whole']} whole, {summary['slow_streams_added_kib']} KiB added")
print(json.dumps(summary))
print(f"written to {out}")
