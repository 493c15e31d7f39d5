"""Medians over the rounds of scripts/bench/outbox.sh: a table, and bench/results/<date>-outbox.json."""
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

measured = json.loads(pathlib.Path(sys.argv[1]).read_text())
rounds, latency = measured["rounds"], measured["latency_ms"]
MEASURES = ["raw", "relay", "consumer", "path"]


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


results = {name: {"events_per_second": spread([turn[name] for turn in rounds])} for name in MEASURES}
# Of the same round, so that a drift of the machine hits both.
ratios = {name: spread([round(turn[name] / turn["raw"], 3) for turn in rounds]) for name in MEASURES[1:]}
results["latency_ms"] = latency
summary = {
    "relay_to_raw": ratios["relay"],
    "path_to_raw": ratios["path"],
    "commit_to_consumer_p50_ms": {place: latency[place]["to_handler"]["p50"] for place in latency},
    "commit_to_consumer_p99_ms": {place: latency[place]["to_handler"]["p99"] for place in latency},
}
today = datetime.date.today().isoformat()
cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
document = {
    "bench": "outbox to consumer",
    "date": today,
    "machine": {
        "cpu": cpu,
        "cores": len(re.findall("^processor", open("/proc/cpuinfo").read(), re.M)),
        # Above about the number of cores others were at work, too.
        "load_average_at_the_end": os.getloadavg(),
    },
    "versions": measured["versions"] | {"rustc": first_line("rustc", "--version")},
    "method": f"One warm-up and {len(rounds)} rounds, each with every measure, {measured['events']} events of "
    f"{measured['body_bytes']} bytes; medians over the rounds, ratios within a round. Private PostgreSQL (fsync and "
    "synchronous_commit on) and RabbitMQ (one node, quorum queues), release build, logging and metrics on; servers and "
    f"clients share the machine. raw: lapin, {measured['window']} messages in flight (the fastest of four windows tried), made beforehand, to a "
    "bound quorum queue nobody consumes. relay: a backlog from the start of the relay to the deletion of the last row, nobody "
    "consuming. consumer: that queue full, prefetch 100 and 4 lanes, each event one transaction with its inbox row and "
    "effect. path: another backlog, relay and consumer together, from the start of the relay to the last effect. Latency: "
    "idle, one event at a time, from just before its COMMIT is sent to the call of the handler (to_handler) and to the "
    "end of the effect's transaction (to_effect); the relay in the process that commits, or in another replica. At the "
    "end every change had its effect exactly once.",
    "results": results,
    "rounds": rounds,
    "summary": summary,
}
out = pathlib.Path("bench/results", f"{today}-outbox.json")
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(document, indent=2) + "\n")

print(f"{'':12}{'events/s':>10}{'min':>10}{'max':>10}{'of raw':>10}")
for name in MEASURES:
    rate = results[name]["events_per_second"]
    ratio = f"{ratios[name]['median']:10.2f}" if name in ratios else ""
    print(f"{name:12}{rate['median']:10.0f}{rate['min']:10.0f}{rate['max']:10.0f}{ratio}")
print(f"\n{'commit to (ms)':26}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}   ({latency['same_process']['samples']} samples, idle)")
for place, name in [("same_process", "relay in this process"), ("other_replica", "relay in another replica")]:
    for end in ["to_handler", "to_effect"]:
        row = latency[place][end]
        print(f"{name if end == 'to_handler' else '':26}" + "".join(f"{row[key]:8.2f}" for key in ["p50", "p90", "p99", "max"]) + f"   {end}")
print(f"written to {out}")
