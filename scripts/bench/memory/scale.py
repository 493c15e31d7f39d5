"""How memory grows: rates of storing, latency of searches and memory of the process with 1,000, 10,000 and 100,000 memories in
one organization. Usage: scale.py <brainops> <embeddings stand-in> <directory of models> <filtered's result> <work directory>

`brainops up` with all logging, authorization and limits on; the stand-in answers at once with vectors that are drawn from a
text's words, so that memory is measured and not a model on two cores. One part is measured with the bundled model.
Sentences are made of 20,000 words that are as unevenly frequent as those of a language, each about one of 400 topics, with a
fixed seed. Each question is a new one, so none is remembered.
"""

import datetime, http.client, itertools, json, os, platform, random, re, signal, socket, subprocess, sys, threading, time, urllib.parse

SEED = 20_261_123
SIZES = [int(size) for size in os.environ.get("SIZES", "1000 10000 100000").split()]
OTHERS, OF_EACH = 10, 1_000
WRITERS, CALLERS = 4, 4
SEARCHES = int(os.environ.get("SEARCHES", "200"))
BULK = 100


class Texts:
    """Sentences and questions, the same in every run."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        ends, sounds = ["", "n", "r", "s", "l", "t", "m"], [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
        words = set()
        while len(words) < 20_000:
            words.add("".join(self.random.choices(sounds, k=self.random.choice([2, 2, 3, 3, 4]))) + self.random.choice(ends))
        self.words = sorted(words)
        self.random.shuffle(self.words)
        self.weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(self.words))))
        self.topics = [self.random.sample(self.words[300:], 50) for _ in range(400)]
        self.names = [word.capitalize() for word in self.random.sample(self.words, 300)]
        self.small = "the of and to in is that it was for on with as at by from or an be this".split()
        self.verbs = "likes knows visited bought moved wrote asked finished planned cooked painted repaired sold lost".split()

    def memory(self):
        topic = self.random.choice(self.topics)
        said = [self.random.choice(self.names), self.random.choice(self.verbs)]
        for _ in range(self.random.randint(5, 18)):
            draw = self.random.random()
            if draw < 0.35:
                said.append(self.random.choice(self.small))
            elif draw < 0.75:
                said.append(topic[min(int(self.random.expovariate(0.08)), 49)])
            else:
                said += self.random.choices(self.words, cum_weights=self.weights)
        return " ".join(said) + "."

    def question(self, memories):
        telling = [word for word in self.random.choice(memories)[:-1].split() if word.lower() not in self.small]
        asked = self.random.sample(telling, min(len(telling), self.random.randint(2, 5)))
        return f"{self.random.choice(['When did', 'What about', 'Who said', 'Where was'])} {' '.join(asked)} {self.random.choice(self.words)}?"


class Client:
    """One connection, and the person whose token it sends."""

    def __init__(self, url, token=None):
        self.host = urllib.parse.urlsplit(url).netloc
        self.token = token
        self.connection = None

    def post(self, path, body, method="POST"):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, timeout=120)
            self.connection.connect()
            # Head and body are two writes: together they would wait for an acknowledgement.
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()[:500]}")
        return text

    def json(self, path, body):
        return json.loads(self.post(path, body))


class System:
    """`brainops up`, and where its parts listen."""

    def __init__(self, program, work, name, **environment):
        self.out, keys = os.path.join(work, f"{name}.out"), {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"}
        port = free_port()
        environment = {
            **{key: value for key, value in os.environ.items() if key not in keys},
            "BRAINOPS_LOG": "info",
            **{f"BRAINOPS_RATE_{whose}_PER_MINUTE": "6000000" for whose in ["CALLER", "ORGANIZATION", "SOURCE"]},
            **environment,
        }
        arguments = [program, "up", "--data", os.path.join(work, name), "--http", f"127.0.0.1:{port}"]
        self.begun = time.monotonic()
        with open(self.out, "w") as out, open(self.out + ".log", "w") as log:
            self.process = subprocess.Popen(arguments, env=environment, stdout=out, stderr=log)
        said = ""
        while "BrainOps is up" not in said:
            if self.process.poll() is not None:
                raise SystemExit(said + open(self.out + ".log").read()[-3000:])
            time.sleep(0.05)
            said = open(self.out).read()
        self.up_after = time.monotonic() - self.begun
        self.gateway = f"http://127.0.0.1:{port}"
        address, private = re.search(r"^memory on (\S+), private port (\d+)", said, re.M).groups()
        self.memory, self.private = f"http://{address}", f"127.0.0.1:{private}"

    def person(self, name, register=True):
        login = {"email": f"{name}@example.org", "password": "vexing quilt marmalade tundra"}
        path = "register" if register else "login"
        body = {**login, "display_name": name} if register else login
        return Client(self.gateway).json(f"/v1/auth/{path}", body)["access_token"]

    def metric(self, name, **labels):
        connection = http.client.HTTPConnection(self.private, timeout=30)
        connection.request("GET", "/metrics")
        for line in connection.getresponse().read().decode().splitlines():
            if line.startswith(name) and all(f'{key}="{value}"' in line for key, value in labels.items()):
                return float(line.split()[-1])
        return 0.0

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            status = file.read()
        of = lambda field: int(re.search(rf"{field}:\s+(\d+)", status)[1]) // 1024
        return {"total": of("VmRSS"), "heap": of("RssAnon"), "mapped_files": of("RssFile")}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def embedder(program, port):
    process = subprocess.Popen([program, f"127.0.0.1:{port}"])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process
        except OSError:
            time.sleep(0.02)


def until(what, is_so, seconds):
    late = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > late:
            raise SystemExit(f"in {seconds} s not: {what}")
        time.sleep(0.05)


def in_parallel(count, work):
    """Runs `work(number)` in threads and gives the results; ends with the first failure."""
    results, failures = [None] * count, []

    def one(number):
        try:
            results[number] = work(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def store(system, token, memories):
    """Stores them from several connections; how long until all were acknowledged, had vectors, and were found by them."""
    before, begun = system.metric("memory_texts_embedded_total", outcome="embedded"), time.monotonic()

    def some(writer):
        client = Client(system.memory, token)
        for start in range(writer * BULK, len(memories), WRITERS * BULK):
            batch = [{"text": text, "user": None} for text in memories[start : start + BULK]]
            client.post("/v1/memory/memories/bulk", {"memories": batch})

    in_parallel(WRITERS, some)
    acknowledged = time.monotonic() - begun
    embedded = lambda: system.metric("memory_texts_embedded_total", outcome="embedded") - before >= len(memories)
    until("all texts are embedded", embedded, 1200)
    vectors = time.monotonic() - begun
    client = Client(system.memory, token)

    def found():
        body = {"query": memories[-1], "scope": {"organization": True}, "explain": True}
        hits = client.json("/v1/memory/search", body)["hits"]
        return any(hit["text"] == memories[-1] and hit["explain"]["cosine"] is not None for hit in hits)

    until("the last text is found by its vector", found, 120)
    rate = lambda seconds: round(len(memories) / seconds)
    searchable = time.monotonic() - begun
    return {
        "texts": len(memories),
        "acknowledged_per_second": rate(acknowledged),
        "embedded_per_second": rate(vectors),
        "searchable_by_vector_s": round(searchable, 1),
    }


def searched(url, token, texts, memories, callers, semantic):
    """Latency of searches from so many callers at once."""
    count = SEARCHES // callers
    asked = [[texts.question(memories) for _ in range(count)] for _ in range(callers)]
    hits = []

    def ask(caller):
        client, times = Client(url, token), []
        for number, question in enumerate(asked[caller]):
            begun = time.monotonic()
            answer = client.post("/v1/memory/search", {"query": question, "scope": {"organization": True}})
            times.append(time.monotonic() - begun)
            if number % 20 == 0:
                found = json.loads(answer)
                if found["semantic"] != semantic:
                    raise SystemExit(f"semantic is {found['semantic']}")
                hits.append(len(found["hits"]))
        return times[count // 10 :]

    begun = time.monotonic()
    times = sorted(itertools.chain.from_iterable(in_parallel(callers, ask)))
    took = time.monotonic() - begun
    at = lambda share: round(times[min(len(times) - 1, int(share * len(times)))] * 1000, 1)
    row = {"callers": callers, "p50_ms": at(0.5), "p99_ms": at(0.99), "per_second": round(callers * count / took)}
    print(f"    {'hybrid' if semantic else 'words':7} {callers} callers: p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms", flush=True)
    return row


def graphs(system, wanted):
    """Waits until graphs cover what they are going to."""
    until(
        "graphs are built",
        lambda: system.metric("memory_vectors", state="stored") >= wanted
        and system.metric("memory_vectors", state="in_graph") >= 0.8 * wanted,
        600,
    )


def with_stand_in(brainops, stand_in, work):
    port = free_port()
    process = embedder(stand_in, port)
    environment = {
        "BRAINOPS_LOCAL_MODELS": "never",
        "BRAINOPS_EMBEDDINGS_URL": f"http://127.0.0.1:{port}/v1",
        "BRAINOPS_VECTORS_OPTIMIZE_INTERVAL_MS": "20000",
    }
    system = System(brainops, work, "scale", **environment)
    try:
        token = system.person("bench")
        idle = system.resident_mb()
        texts, memories, rows, others = Texts(SEED), [], [], []
        for size in SIZES:
            new = list(itertools.islice(new_texts(texts, set(memories)), size - len(memories)))
            if size == SIZES[-1]:
                others = [system.person(f"other{number}") for number in range(OTHERS)]
                for other in others:
                    store(system, other, [texts.memory() for _ in range(OF_EACH)])
            token = system.person("bench", register=False)
            stored = store(system, token, new)
            memories += new
            print(f"  {size} memories: {stored}", flush=True)
            if size > 20_000:
                begun = time.monotonic()
                graphs(system, size)
                stored["graphs_built_after_s"] = round(time.monotonic() - begun, 1)
                token = system.person("bench", register=False)
            row = {"memories": size, "stored": stored}
            ask = lambda url, callers, semantic, who=None: searched(url, who or token, texts, memories, callers, semantic)
            row["hybrid"] = [ask(system.memory, callers, True) for callers in (1, CALLERS)]
            if others:
                row["other_organizations"] = {"organizations": OTHERS, "memories_each": OF_EACH}
                row["hybrid_in_another"] = ask(system.memory, 1, True, others[0])
                key = json.loads(Client(system.gateway, token).post(
                    "/v1/auth/api-keys", {"name": "bench", "scopes": ["memory:read"]}))["key"]
                row["hybrid_through_gateway"] = ask(system.gateway, 1, True, key)
            row["resident_mb"] = system.resident_mb()
            row["resident_mb"]["since_start"] = row["resident_mb"]["total"] - idle["total"]
            process.terminate()
            process.wait()
            row["words"] = [ask(system.memory, callers, False) for callers in (1, CALLERS)]
            process = embedder(stand_in, port)
            print(f"    {row['resident_mb']}", flush=True)
            rows.append(row)
        system.stop()
        system = System(brainops, work, "scale", **environment)
        token = system.person("bench", register=False)
        begun = time.monotonic()
        Client(system.memory, token).post("/v1/memory/search", {"query": texts.question(memories), "scope": {"organization": True}})
        again = {"up_after_s": round(system.up_after, 1), "first_search_s": round(time.monotonic() - begun, 2)}
        return {"resident_mb_before": idle, "sizes": rows, "after_a_restart": again}
    finally:
        process.terminate()
        system.stop()


def new_texts(texts, known):
    while True:
        text = texts.memory()
        if text not in known:
            known.add(text)
            yield text


def with_bundled_model(brainops, models, work):
    system = System(brainops, work, "bundled", BRAINOPS_MODELS_DIR=models)
    try:
        token = system.person("bench")
        texts = Texts(SEED)
        memories = list(itertools.islice(new_texts(texts, set()), 1_000))
        # The model is loaded after the system is up.
        client, anything = Client(system.memory, token), {"query": "anything", "scope": {"organization": True}}
        until("the model answers", lambda: client.json("/v1/memory/search", anything)["semantic"], 120)
        stored = store(system, token, memories)
        print(f"  bundled model, 1000 memories: {stored}", flush=True)
        return {"stored": stored, "hybrid": searched(system.memory, token, texts, memories, 1, True)}
    finally:
        system.stop()


def main(brainops, stand_in, models, filtered, work):
    # What was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    with open(filtered) as file:
        recall = json.load(file)
    result = {
        "bench": "memory at scale",
        "date": str(datetime.date.today()),
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine()},
        "method": (
            "One organization of `brainops up` (release build, private PostgreSQL and RabbitMQ with fsync on, logging, authorization "
            "and limits on) over HTTP, directly at the memory service and once through the gateway; everything on this machine, the "
            "clients included. Vectors of 384 numbers from a stand-in that answers at once (drawn from the words of a text), but for "
            f"`bundled_model`. {WRITERS} connections store, {BULK} texts a call. Searches one after the other from 1 or {CALLERS} callers, "
            "top_k 10, every question a new one, the first tenth of each not counted. Words: the embedding server is away. Memory is "
            "that of the whole process (all services). Filtered recall: the embedded engine alone, against a scan of all vectors."
        ),
        "with_stand_in": with_stand_in(brainops, stand_in, work),
        "bundled_model": with_bundled_model(brainops, models, work),
        "filtered_recall": recall,
    }
    os.makedirs("bench/results", exist_ok=True)
    with open(f"bench/results/{datetime.date.today()}-memory-scale.json", "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    print(f"\n{'memories':>9} {'stored/s':>9} {'embedded/s':>11} {'p50':>7} {'p99':>7} {'words p50':>10} {'p99':>7} {'MB more':>8}")
    for row in result["with_stand_in"]["sizes"]:
        hybrid, words = row["hybrid"][0], row["words"][0]
        stored = row["stored"]
        print(
            f"{row['memories']:>9} {stored['acknowledged_per_second']:>9} {stored['embedded_per_second']:>11} {hybrid['p50_ms']:>7} "
            f"{hybrid['p99_ms']:>7} {words['p50_ms']:>10} {words['p99_ms']:>7} {row['resident_mb']['since_start']:>8}"
        )


main(*sys.argv[1:])
