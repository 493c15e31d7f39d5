"""mem0's own client against a gateway, unmodified: only host and key are others.

MEM0_HOST, API_KEY and READING_KEY come from the environment.
"""

import os

from mem0 import MemoryClient
from mem0.exceptions import AuthenticationError, MemoryNotFoundError, ValidationError

HOST = os.environ["MEM0_HOST"]


def refused(error, status, call):
    """The error that the client raises for `call`, which must be exactly an `error`."""
    try:
        call()
    except Exception as raised:
        assert type(raised) is error, f"{type(raised).__name__}: {raised}"
        assert raised.debug_info["status_code"] == status, raised.debug_info
        # The sentence alone, not the document around it.
        assert not str(raised).startswith("{"), raised
        return raised
    raise AssertionError(f"no {error.__name__}")


def texts(answer):
    return [memory["memory"] for memory in answer["results"]]


client = MemoryClient(api_key=os.environ["API_KEY"], host=HOST)
alice = {"user_id": "alice"}

added = client.add("I like tea", user_id="alice", metadata={"sure": True}, infer=False)
(tea,) = added["results"]
assert (tea["memory"], tea["event"]) == ("I like tea", "ADD"), added
talk = [{"role": "user", "content": "I moved to Lisbon."}, {"role": "assistant", "content": "By the sea?"}]
added = client.add(talk, user_id="alice", agent_id="support", app_id="shop", run_id="trip")
# Without a language model messages are remembered as they are.
assert texts(added) == ["I moved to Lisbon.", "By the sea?"], added
client.add("I like coffee", user_id="bob", infer=False)

assert texts(client.search("Who drinks tea?", filters=alice, top_k=1)) == ["I like tea"]
assert texts(client.search("coffee", filters={"OR": [alice, {"user_id": "bob"}]}, top_k=1)) == ["I like coffee"]
found = client.search("Lisbon", filters={"AND": [alice, {"run_id": "trip"}, {"agent_id": "support"}]})
assert texts(found)[0] == "I moved to Lisbon." and found["results"][0]["score"] > 0, found
assert found["results"][0]["run_id"] == "trip" and found["results"][0]["app_id"] == "shop", found
assert texts(client.search("tea", filters={**alice, "metadata": {"sure": True}})) == ["I like tea"]

page = client.get_all(filters=alice, page=1, page_size=2)
assert page["count"] == 3 and page["next"] and len(page["results"]) == 2, page
page = client.get_all(filters=alice, page=2, page_size=2)
assert texts(page) == ["I like tea"] and page["next"] is None, page
assert client.get_all(filters={"user_id": "*"})["count"] == 4

assert client.get(tea["id"])["metadata"] == {"sure": True}
changed = client.update(tea["id"], text="I like green tea", expiration_date="2999-12-31")
assert (changed["memory"], changed["expiration_date"]) == ("I like green tea", "2999-12-31"), changed
assert client.update(tea["id"], expiration_date=None)["expiration_date"] is None
history = client.history(tea["id"])
assert [turn["event"] for turn in history] == ["ADD", "UPDATE", "UPDATE"], history
assert (history[1]["old_memory"], history[1]["new_memory"]) == ("I like tea", "I like green tea"), history

assert client.delete(tea["id"])["message"]
missing = refused(MemoryNotFoundError, 404, lambda: client.get(tea["id"]))
assert "memory" in str(missing), missing
unscoped = refused(ValidationError, 400, client.delete_all)
assert "user_id" in str(unscoped), unscoped
unsupported = refused(ValidationError, 400, lambda: client.search("tea", filters={"NOT": [alice]}))
assert "filters.NOT" in str(unsupported), unsupported
refused(ValidationError, 422, lambda: client.add(" ", user_id="alice"))
refused(MemoryNotFoundError, 404, client.users)
assert client.delete_all(user_id="alice")["message"]
assert texts(client.get_all(filters={"user_id": "*"})) == ["I like coffee"]

reader = MemoryClient(api_key=os.environ["READING_KEY"], host=HOST)
assert texts(reader.get_all(filters={"user_id": "bob"})) == ["I like coffee"]
refused(AuthenticationError, 403, lambda: reader.add("Planted", user_id="bob"))
try:
    MemoryClient(api_key=os.environ["API_KEY"][:-1] + "x", host=HOST)
except ValueError as error:
    assert "API key" in str(error), error
else:
    raise AssertionError("a key that is none")
