"""LoCoMo's turns into memory and its questions out of it, through the gateway; prints and stores how many of the turns that
answer were found. Usage: locomo.py <gateway's URL> <directory with the conversations>

Counting, per question: evidence is what `D<session>:<turn>` names in its list; names of no turn are dropped and questions without
any are skipped. recall@k is the share of the evidence among the first k hits, all@k whether all of it is, nDCG@10 is with
gain 1 for evidence, MRR the reciprocal rank of the first. Means over questions.
"""

import datetime, glob, hashlib, http.client, json, math, os, platform, re, sys, time, urllib.parse

CATEGORIES = {1: "multi-hop", 2: "time", 3: "inference", 4: "single", 5: "adversarial"}
METRICS = ["recall@5", "recall@10", "recall@20", "nDCG@10", "all@10", "MRR"]


class Client:
    def __init__(self, url):
        self.host = urllib.parse.urlsplit(url).netloc
        self.connection = http.client.HTTPConnection(self.host, timeout=60)
        self.headers = {"content-type": "application/json"}

    def post(self, path, body):
        self.connection.request("POST", path, json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"POST {path}: {answer.status} {text.decode()[:500]}")
        return json.loads(text)


def conversation(path):
    """Sessions as (time, [(id, speaker, text)]), and questions as (category, text, evidence)."""
    with open(path) as file:
        document = json.load(file)
    numbers = sorted(int(key.split("_")[1]) for key in document if re.fullmatch(r"session_\d+", key))
    sessions = []
    for number in numbers:
        said = document[f"session_{number}_date_time"]
        when = datetime.datetime.strptime(said, "%I:%M %p on %d %B, %Y")
        turns = [
            (turn["dia_id"], turn["speaker"], " ".join(filter(None, [turn["text"], turn.get("blip_caption")])))
            for turn in document[f"session_{number}"]
        ]
        sessions.append((when, turns))
    known = {turn for _, turns in sessions for turn, _, _ in turns}
    questions = []
    for question in document["qa"]:
        named = {f"D{s}:{t}" for text in question["evidence"] for s, t in re.findall(r"D:?(\d+):(\d+)", text)}
        if named & known:
            questions.append((question["category"], question["question"], named & known))
    return sessions, questions


def store(client, name, sessions):
    """Stores the turns as those of one user; gives LoCoMo's id by ours."""
    ids = {}
    for when, turns in sessions:
        session = client.post("/v1/memory/sessions", {"user": name})["id"]
        for start in range(0, len(turns), 50):
            messages = [
                {
                    "role": "user",
                    "author": speaker,
                    "content": text,
                    "occurred_at": (when + datetime.timedelta(seconds=start + place)).isoformat() + "Z",
                }
                for place, (_, speaker, text) in enumerate(turns[start : start + 50])
            ]
            stored = client.post(f"/v1/memory/sessions/{session}/messages", {"messages": messages})["items"]
            ids.update(zip((item["id"] for item in stored), (turn for turn, _, _ in turns[start : start + 50])))
    return ids


def embedded(client, name, sessions):
    """Waits until the last turn, and so those before it, is found by its vector."""
    text = sessions[-1][1][-1][2]
    late = time.monotonic() + 300
    while time.monotonic() < late:
        found = client.post("/v1/memory/search", {"query": text, "scope": {"user": name}, "explain": True, "top_k": 100})
        if any(hit["text"] == text and hit["explain"]["cosine"] is not None for hit in found["hits"]):
            return
        time.sleep(0.1)
    sys.exit("the turns do not get their vectors: does the system embed?")


def measured(found, evidence):
    hit = [turn in evidence for turn in found] + [False] * 20
    n = len(evidence)
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(n, 10)))
    return [
        sum(hit[:5]) / n,
        sum(hit[:10]) / n,
        sum(hit[:20]) / n,
        sum(1 / math.log2(rank + 2) for rank in range(10) if hit[rank]) / ideal,
        float(sum(hit[:10]) == n),
        next((1 / (rank + 1) for rank, is_hit in enumerate(hit) if is_hit), 0.0),
    ]


def means(rows):
    return {metric: round(sum(row[i] for row in rows) / len(rows), 4) for i, metric in enumerate(METRICS)}


def percentile(times, share):
    return round(sorted(times)[min(len(times) - 1, int(share * len(times)))] * 1000, 1)


def main(url, directory):
    client = Client(url)
    person = {"email": "bench@example.org", "password": "vexing quilt marmalade tundra", "display_name": "Bench"}
    client.headers["authorization"] = "Bearer " + client.post("/v1/auth/register", person)["access_token"]
    key = client.post("/v1/auth/api-keys", {"name": "bench", "scopes": ["memory:read", "memory:write"]})["key"]
    client.headers["authorization"] = "Bearer " + key

    # The model is loaded after the system is up.
    while not client.post("/v1/memory/search", {"query": "anything", "scope": {"user": "me"}})["semantic"]:
        time.sleep(0.1)

    rows, times, conversations, turns = [], [], {}, 0
    digest = hashlib.sha256()
    stored_in = embedded_in = 0.0
    for path in sorted(glob.glob(os.path.join(directory, "[0-9]*.json"))):
        with open(path, "rb") as file:
            digest.update(file.read())
        name = "locomo-" + os.path.basename(path).removesuffix(".json")
        sessions, questions = conversation(path)
        begun = time.monotonic()
        ids = store(client, name, sessions)
        stored_in += time.monotonic() - begun
        embedded(client, name, sessions)
        embedded_in += time.monotonic() - begun
        turns += len(ids)
        own = []
        for category, question, evidence in questions:
            begun = time.monotonic()
            found = client.post("/v1/memory/search", {"query": question, "scope": {"user": name}, "top_k": 20})
            times.append(time.monotonic() - begun)
            if not found["semantic"]:
                sys.exit("a search went without vectors")
            own.append((category, measured([ids[hit["id"]] for hit in found["hits"]], evidence)))
        conversations[name] = means([row for _, row in own])
        rows += own

    result = {
        "method": "each turn stored through the gateway, each question searched within its conversation, one after the other",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "data_sha256": digest.hexdigest(),
        "turns": turns,
        "questions": len(rows),
        "overall": means([row for _, row in rows]),
        "by_category": {
            CATEGORIES.get(category, str(category)): {"questions": len(of), **means(of)}
            for category in sorted({category for category, _ in rows})
            for of in [[row for one, row in rows if one == category]]
        },
        "by_conversation": conversations,
        "search_ms": {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)},
        "stored_per_second": round(turns / stored_in),
        "findable_by_vector_per_second": round(turns / embedded_in),
        "published": {"BM25": {"recall@10": 0.610, "nDCG@10": 0.470}, "target": {"recall@10": 0.78, "nDCG@10": 0.60}},
    }
    os.makedirs("bench/results", exist_ok=True)
    with open(f"bench/results/{datetime.date.today()}-memory.json", "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    print(f"{turns} turns, {len(rows)} questions\n")
    print(f"{'':14}" + "".join(f"{metric:>11}" for metric in METRICS))
    for label, row in [("overall", result["overall"]), *result["by_category"].items(), *conversations.items()]:
        print(f"{label:14}" + "".join(f"{row[metric]:11.3f}" for metric in METRICS))
    print(f"\nsearch p50 {result['search_ms']['p50']} ms, p99 {result['search_ms']['p99']} ms, through the gateway")
    print(f"{result['stored_per_second']} turns/s stored, {result['findable_by_vector_per_second']} turns/s until found by vector")


main(*sys.argv[1:])
