"""Model calls while things break: a client's journal against what was recorded, in the end a set check.

Run by scripts/chaos/ai.sh, which starts the system and a provider that streams one word every few milliseconds.
"""
import asyncio
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pika

gateway, data, system, amqp = sys.argv[1:5]
host, port = gateway.rsplit(":", 1)
data, system = pathlib.Path(data), int(system)


async def exchange(method, path, body=None, key=None, upto=None):
    """One call on a connection of its own: status, headers and body. `upto` leaves after that many bytes of the body."""
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: {gateway}\r\nconnection: close\r\ncontent-length: {len(payload)}\r\n"
        head += "content-type: application/json\r\n" + (f"authorization: Bearer {key}\r\n" if key else "") + "\r\n"
        writer.write(head.encode() + payload)
        await writer.drain()
        answer = b""
        while chunk := await reader.read(4096):
            answer += chunk
            _, split, rest = answer.partition(b"\r\n\r\n")
            if upto and split and len(rest) >= upto:
                break
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]) if head else 0, head.decode().lower(), rest
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def call(method, path, body=None, key=None):
    status, head, rest = await exchange(method, path, body, key)
    if "transfer-encoding: chunked" in head:
        whole = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            whole, rest = whole + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        rest = whole
    return status, json.loads(rest) if rest else None


def chat(stream=True):
    return {"model": "gpt-fake", "stream": stream, "messages": [{"role": "user", "content": "Hello there"}]}


async def stream_whole(key):
    status, head, body = await exchange("POST", "/v1/chat/completions", chat(), key)
    return status, b"data: [DONE]" in body, head


async def recorded(key):
    status, usage = await call("GET", "/v1/ai/usage?group_by=model", key=key)
    assert status == 200, (status, usage)
    return sum(item["requests"] for item in usage["items"])


async def settled(key, expected, what):
    """Waits until as many calls are recorded as the journal has; more than that never come."""
    for _ in range(600):
        with contextlib.suppress(AssertionError, OSError):
            found = await recorded(key)
            assert found <= expected, f"{what}: {found} recorded of {expected}"
            if found == expected:
                return
        await asyncio.sleep(0.1)
    raise SystemExit(f"{what}: {await recorded(key)} recorded of {expected}")


def resident_mib():
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{system}/status").read_text())[1]) / 1024


def family(root):
    """A process and all below it."""
    pids, found = [root], []
    while pids:
        pid = pids.pop()
        found.append(pid)
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
        pids += [int(child) for child in listed.stdout.split()]
    return found


@contextlib.asynccontextmanager
async def frozen(root, what):
    pids = family(root)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    print(f"  {what} frozen: {len(pids)} processes", flush=True)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def broker():
    """The Erlang machine of the private broker."""
    found = [pid for pid in family(system) if "beam" in pathlib.Path(f"/proc/{pid}/comm").read_text()]
    assert found, "no broker below the system"
    return found[0]


QUEUE = "chaos.usage"


def bind():
    """A queue of a consumer that is away the whole time."""
    with pika.BlockingConnection(pika.URLParameters(amqp)) as connection:
        channel = connection.channel()
        channel.exchange_declare("brainops.events", "topic", durable=True)
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(QUEUE, "brainops.events", "ai.usage_recorded.v1")


def delivered(expected):
    """The calls that the events of the queue are about, in their order; waits a minute for `expected` different ones."""
    found, deadline = [], time.monotonic() + 60
    with pika.BlockingConnection(pika.URLParameters(amqp)) as connection:
        channel = connection.channel()
        while len(set(found)) < expected and time.monotonic() < deadline:
            method, _, body = channel.basic_get(QUEUE, auto_ack=True)
            if method:
                found.append(json.loads(body)["data"]["completion_id"])
            else:
                time.sleep(0.1)
    return found


async def main():
    bind()
    account = {"email": "chaos@example.org", "password": "vexing quilt marmalade tundra", "display_name": "Chaos"}
    status, registered = await call("POST", "/v1/auth/register", account)
    assert status == 201, (status, registered)
    token = registered["access_token"]
    new_key = {"name": "chaos", "scopes": ["ai:invoke", "ai:read"]}
    status, made = await call("POST", "/v1/auth/api-keys", new_key, token)
    assert status == 201, (status, made)
    key, journal = made["key"], 0

    print("clients that leave", flush=True)
    before = resident_mib()
    leavers = int(os.environ.get("LEAVERS", "10000"))
    for wave in range(0, leavers, 250):
        answers = await asyncio.gather(
            *(exchange("POST", "/v1/chat/completions", chat(), key, upto=1) for _ in range(min(250, leavers - wave)))
        )
        assert all(status == 200 for status, *_ in answers), {status for status, *_ in answers}
        journal += len(answers)
        if wave == 250:
            before = resident_mib()
    await settled(key, journal, "clients that leave")
    print(f"  {journal} left, each recorded once; {before:.0f} MiB after 500, {resident_mib():.0f} MiB in the end", flush=True)

    print("500 slow streams", flush=True)
    before = resident_mib()
    streams = [asyncio.create_task(stream_whole(key)) for _ in range(500)]
    await asyncio.sleep(1)
    during = resident_mib()
    whole = await asyncio.gather(*streams)
    assert all(status == 200 and done for status, done, _ in whole)
    journal += 500
    await settled(key, journal, "slow streams")
    print(f"  500 whole; {before:.0f} MiB before, {during:.0f} MiB with all of them open", flush=True)

    print("the database is away for 20 s", flush=True)
    streams = [asyncio.create_task(stream_whole(key)) for _ in range(50)]
    await asyncio.sleep(0.5)
    postmaster = int((data / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    async with frozen(postmaster, "PostgreSQL"):
        begun, admitted, refused = time.monotonic(), 0, 0
        whole = await asyncio.gather(*streams)
        assert all(status == 200 and done for status, done, _ in whole), "a stream under way was cut"
        while time.monotonic() < begun + 20:
            status, done, _ = await stream_whole(key)
            assert (status == 200 and done) or status in (429, 503), status
            admitted, refused = admitted + (status == 200), refused + (status != 200)
    journal += 50 + admitted
    await settled(key, journal, "the database is away")
    print(f"  50 streams under way finished; {admitted} new ones admitted, {refused} refused; all are recorded", flush=True)

    print("the broker is away for 20 s", flush=True)
    async with frozen(broker(), "RabbitMQ"):
        begun, done_ones = time.monotonic(), 0
        while time.monotonic() < begun + 20:
            status, done, _ = await stream_whole(key)
            assert status == 200 and done, status
            done_ones += 1
    journal += done_ones
    await settled(key, journal, "the broker is away")
    print(f"  {done_ones} calls; all are recorded", flush=True)

    print("every record is an event", flush=True)
    ids = delivered(journal)
    assert len(set(ids)) == journal, f"{len(set(ids))} of {journal}"
    print(f"  {journal} calls in the journal, {journal} records, {len(set(ids))} events ({len(ids) - len(set(ids))} twice)", flush=True)


asyncio.run(main())
