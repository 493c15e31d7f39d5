"""Opens many slow streams at once, holds them to their end, and prints what they add to the memory of a process."""
import json
import pathlib
import re
import selectors
import socket
import sys

count, address, path, body, key, pid = sys.argv[1:7]
count = int(count)
host, port = address.rsplit(":", 1)
body = pathlib.Path(body).read_bytes()
request = (
    f"POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n"
    f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
).encode() + body


def resident_kib():
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


before = resident_kib()
chosen = selectors.DefaultSelector()
answers = {}
for _ in range(count):
    stream = socket.create_connection((host, int(port)))
    stream.sendall(request)
    stream.setblocking(False)
    answers[stream] = b""
    chosen.register(stream, selectors.EVENT_READ)
peak, most_open = before, 0
while chosen.get_map():
    for ready, _ in chosen.select(timeout=60):
        data = ready.fileobj.recv(65536)
        if data:
            answers[ready.fileobj] += data
        else:
            chosen.unregister(ready.fileobj)
            ready.fileobj.close()
    begun = sum(b"data:" in answer for answer in answers.values())
    still_open = len(chosen.get_map())
    if begun == count:
        most_open = max(most_open, still_open)
    peak = max(peak, resident_kib())
whole = sum(answer.startswith(b"HTTP/1.1 200") and b"data: [DONE]" in answer for answer in answers.values())
print(json.dumps({"streams": count, "whole": whole, "open_at_once": most_open, "before_kib": before, "peak_kib": peak}))
