"""Medians over the rounds of scripts/bench/gateway.sh: a table, and bench/results/<date>-gateway.json."""
import datetime
import json
import pathlib
import re
import statistics
import subprocess
import sys

work, rounds, seconds, connections, rate, rss = sys.argv[1:7]
TARGETS = ["direct", "nginx", "haproxy", "gateway"]


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def per_second(target, turn):
    text = pathlib.Path(work, f"wrk-{target}-{turn}.txt").read_text()
    if "Non-2xx" in text:
        raise SystemExit(f"{target} answered errors:\n{text}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def loads(target):
    texts = [pathlib.Path(work, f"load-{target}-{turn}.json").read_text() for turn in range(1, int(rounds) + 1)]
    return [json.loads(text) for text in texts]


results = {}
for target in TARGETS:
    runs = [per_second(target, turn) for turn in range(1, int(rounds) + 1)]
    latencies = loads(target)
    results[target] = {
        "requests_per_second": {"median": statistics.median(runs), "min": min(runs), "max": max(runs)},
        "open_loop": {
            name: statistics.median(run[name] for run in latencies)
            for name in ["achieved", "failed", "p50_ms", "p90_ms", "p99_ms", "p999_ms"]
        },
    }
gateway, haproxy, direct = (results[name] for name in ["gateway", "haproxy", "direct"])
summary = {
    "gateway_to_haproxy": round(gateway["requests_per_second"]["median"] / haproxy["requests_per_second"]["median"], 3),
    "added_p50_ms": round(gateway["open_loop"]["p50_ms"] - direct["open_loop"]["p50_ms"], 3),
    "added_p99_ms": round(gateway["open_loop"]["p99_ms"] - direct["open_loop"]["p99_ms"], 3),
    "gateway_rss_kib": int(rss),
}
today = datetime.date.today().isoformat()
cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
document = {
    "bench": "gateway, authenticated small JSON",
    "date": today,
    "machine": {"cpu": cpu, "cores": len(re.findall("^processor", open("/proc/cpuinfo").read(), re.M))},
    "versions": {
        "haproxy": first_line("haproxy", "-v"), "nginx": first_line("nginx", "-v"), "wrk": first_line("wrk", "-v"),
        "rustc": first_line("rustc", "--version"),
    },
    "method": f"{rounds} rounds, every target in every round; wrk -t1 -c{connections} for {seconds} s each, then open loop at "
    f"{rate} requests/s for {seconds} s each; medians over the rounds. Load and servers share the machine. "
    "Gateway: release build, 2 workers, JSON access log at info to a file, ES256 tokens verified (cached by hash). "
    "HAProxy: 2 threads, jwt_verify per request, stick-table rate limit.",
    "results": results,
    "summary": summary,
}
out = pathlib.Path("bench/results", f"{today}-gateway.json")
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(document, indent=2) + "\n")

print(f"{'':10}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'p99.9 ms':>10}   (latency at {rate}/s)")
for target in TARGETS:
    open_loop = results[target]["open_loop"]
    print(
        f"{target:10}{results[target]['requests_per_second']['median']:12.0f}{open_loop['p50_ms']:10.3f}"
        f"{open_loop['p99_ms']:10.3f}{open_loop['p999_ms']:10.3f}"
    )
print(json.dumps(summary))
print(f"written to {out}")
