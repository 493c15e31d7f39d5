"""Runs inference and the bare libraries in turns; prints a table and writes bench/results/<date>-inference.json."""
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

server, bare, models, rounds = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4])
THREADS = os.cpu_count()
MAX_TOKENS = 96
# A page of text that the model has to read before it answers, and one that is short.
FACTS = "".join(f"Room {n} of the house is {n * 7 % 31} metres long and {n * 5 % 17} metres wide. " for n in range(40))
PROMPTS = [f"{FACTS if n % 2 else ''}A story about the number {n}. Once upon a time, when there were {n} of them," for n in range(8)]
WORDS = "river stone engine paper garden window market signal copper winter ladder bridge".split()
TEXTS = [
    " ".join(WORDS[(n * 7 + at * (n % 5 + 1)) % len(WORDS)] for at in range(6 + n % 90)) + f", number {n}." for n in range(1024)
]
BATCH = 64


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A server of its own for each measurement, so that nothing is remembered from the one before."""

    def __init__(self, work):
        ports = free_port(), free_port()
        self.url = f"http://127.0.0.1:{ports[0]}/v1"
        environment = {
            **os.environ,
            "BRAINOPS_HTTP_ADDR": f"127.0.0.1:{ports[0]}",
            "BRAINOPS_PRIVATE_ADDR": f"127.0.0.1:{ports[1]}",
            "BRAINOPS_INFERENCE_CHAT_MODEL": str(models / "chat.gguf"),
            "BRAINOPS_INFERENCE_EMBEDDING_MODEL": str(models / "embedding"),
            "BRAINOPS_INFERENCE_THREADS": str(THREADS),
            "BRAINOPS_INFERENCE_EMBEDDING_THREADS": str(THREADS),
        }
        self.log = open(work / "server.log", "wb")
        self.process = subprocess.Popen([server], env=environment, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/readyz") as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        raise SystemExit((work / "server.log").read_text())

    def post(self, path, body):
        request = urllib.request.Request(
            f"{self.url}/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def served_chat(work, clients):
    with Server(work) as one, concurrent.futures.ThreadPoolExecutor(clients) as pool:

        def ask(prompt):
            body = {"model": "local-chat", "prompt": prompt, "max_tokens": MAX_TOKENS, "temperature": 0}
            return one.post("completions", body)["usage"]

        begun = time.monotonic()
        usages = list(pool.map(ask, PROMPTS))
        seconds = time.monotonic() - begun
    return {
        "seconds": seconds,
        "prompt_tokens": sum(usage["prompt_tokens"] for usage in usages),
        "completion_tokens": sum(usage["completion_tokens"] for usage in usages),
    }


def served_embeddings(work, batch, clients):
    with Server(work) as one, concurrent.futures.ThreadPoolExecutor(clients) as pool:
        parts = [TEXTS[at : at + batch] for at in range(0, len(TEXTS), batch)]

        def ask(texts):
            return len(one.post("embeddings", {"model": "local-embedding", "input": texts, "encoding_format": "base64"})["data"])

        begun = time.monotonic()
        done = sum(pool.map(ask, parts))
        return {"seconds": time.monotonic() - begun, "texts": done}


def run_bare(work, what, model, texts, size):
    file = work / f"{what}.json"
    file.write_text(json.dumps(texts))
    command = [bare, what, str(models / model), str(THREADS), str(file), str(size)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)


CONTESTANTS = {
    "chat, llama.cpp bare": lambda work: run_bare(work, "chat", "chat.gguf", PROMPTS, MAX_TOKENS),
    "chat, inference, 1 client": lambda work: served_chat(work, 1),
    "chat, inference, 4 clients": lambda work: served_chat(work, 4),
    "embeddings, candle bare": lambda work: run_bare(work, "embed", "embedding", TEXTS, BATCH),
    "embeddings, inference, 64 a request": lambda work: served_embeddings(work, BATCH, 1),
    "embeddings, inference, 1 a request, 32 clients": lambda work: served_embeddings(work, 1, 32),
}


def rate(run):
    return (run["completion_tokens"] if "completion_tokens" in run else run["texts"]) / run["seconds"]


runs = {name: [] for name in CONTESTANTS}
with tempfile.TemporaryDirectory() as directory:
    for _ in range(rounds):
        for name, measure in CONTESTANTS.items():
            runs[name].append(measure(pathlib.Path(directory)))

results, bare_rate = {}, 0
print(f"{'':48}{'per second':>12}{'of bare':>9}")
for name, done in runs.items():
    median = statistics.median(map(rate, done))
    if name.endswith("bare"):
        bare_rate = median
    results[name] = {"per_second": round(median, 1), "of_bare": round(median / bare_rate, 3), "runs": done}
    print(f"{name:48}{median:12.1f}{median / bare_rate:9.2f}")
cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
today = datetime.date.today().isoformat()
document = {
    "bench": "local inference",
    "date": today,
    "machine": {"cpu": re.search(r"model name\s+: (.*)", cpuinfo)[1], "cores": THREADS},
    "models": {"chat": os.path.basename(os.path.realpath(models / "chat.gguf")), "embedding": os.path.basename(os.path.realpath(models / "embedding"))},
    "method": f"{rounds} rounds, every contestant in every round and alone on the machine, {THREADS} threads each; medians. Chat: "
    f"{len(PROMPTS)} prompts (half of them a page long), greedy, at most {MAX_TOKENS} tokens each; tokens written per second, the "
    f"reading of prompts included. Embeddings: {len(TEXTS)} different texts of 6 to 95 words, nothing remembered; bare in "
    f"batches of {BATCH} as they come. Both as release builds; loading of models not counted.",
    "results": results,
}
out = pathlib.Path("bench/results", f"{today}-inference.json")
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(document, indent=2) + "\n")
print(f"written to {out}")
