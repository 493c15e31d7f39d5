"""The official OpenAI SDK against a gateway, unmodified: one scenario a run.

BASE_URL, API_KEY, CHAT_MODEL and EMBEDDING_MODEL come from the environment. Answers are checked against the SDK's own
schema; what the provider behind the gateway answers is its business, so only the form is looked at here.
"""

import json
import math
import os
import sys

import openai

CHAT = os.environ["CHAT_MODEL"]
EMBEDDING = os.environ["EMBEDDING_MODEL"]
HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
# One pixel.
IMAGE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def client(**options):
    options.setdefault("api_key", os.environ["API_KEY"])
    options.setdefault("max_retries", 0)
    options.setdefault("_strict_response_validation", True)
    return openai.OpenAI(base_url=os.environ["BASE_URL"], **options)


def refused(error, call):
    """The error that the SDK raises for `call`, which must be exactly an `error`."""
    try:
        call()
    except openai.OpenAIError as raised:
        assert type(raised) is error, f"{type(raised).__name__}: {raised}"
        return raised
    raise AssertionError(f"no {error.__name__}")


def say(session, text):
    """One message of a conversation that is remembered."""
    talking = client(default_headers={"x-brainops-session-id": session})
    return talking.chat.completions.with_raw_response.create(model=CHAT, messages=[{"role": "user", "content": text}])


def tell():
    assert say("monday", "My sister Ines lives in Lisbon.").headers["x-brainops-recalled"] == "0"


def ask():
    assert int(say("tuesday", "In which city does my sister live?").headers["x-brainops-recalled"]) >= 1


def chat():
    raw = client().chat.completions.with_raw_response.create(
        model=CHAT, messages=HELLO, max_completion_tokens=64, temperature=0.2, seed=7, stop=["###"], user="someone"
    )
    answer = raw.parse()
    assert answer.object == "chat.completion" and answer.model == CHAT, answer
    assert answer.id.startswith("chatcmpl-"), answer.id
    (choice,) = answer.choices
    assert choice.message.role == "assistant" and choice.message.content, choice
    assert choice.finish_reason == "stop", choice
    usage = answer.usage
    assert usage.prompt_tokens > 0 and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    headers = raw.headers
    for name in ("x-request-id", "x-brainops-model", "x-brainops-provider", "x-brainops-cost-nanousd"):
        assert headers.get(name), (name, headers)
    assert int(headers["x-brainops-attempts"]) == 1, headers
    assert float(headers["x-brainops-overhead-ms"]) >= 0, headers
    # The SDK gives its users this name for the id of the request.
    assert answer._request_id == headers["x-request-id"], headers


def stream():
    pieces, last, usage = [], None, None
    with client().chat.completions.create(
        model=CHAT, messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as events:
        for chunk in events:
            assert chunk.object == "chat.completion.chunk" and chunk.model == CHAT, chunk
            if chunk.usage:
                assert chunk.choices == [], chunk
                usage = chunk.usage
                continue
            (choice,) = chunk.choices
            pieces.append(choice.delta.content or "")
            last = choice.finish_reason or last
    assert "".join(pieces) and len(pieces) > 1, pieces
    assert last == "stop", last
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0, usage


def tools():
    answer = client().chat.completions.create(
        model=CHAT, messages=HELLO, tools=[WEATHER], tool_choice="required", parallel_tool_calls=True
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls", choice
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_weather" and json.loads(call.function.arguments) == {"city": "Oslo"}, call
    followed = client().chat.completions.create(
        model=CHAT,
        messages=[
            *HELLO,
            choice.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
        ],
        tools=[WEATHER],
    )
    assert followed.choices[0].message.content, followed


def stream_tools():
    name, arguments, reason = "", "", None
    for chunk in client().chat.completions.create(model=CHAT, messages=HELLO, tools=[WEATHER], stream=True):
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            for call in choice.delta.tool_calls or []:
                name += (call.function.name or "") if call.function else ""
                arguments += (call.function.arguments or "") if call.function else ""
    assert name == "get_weather" and json.loads(arguments) == {"city": "Oslo"}, (name, arguments)
    assert reason == "tool_calls", reason


def json_schema():
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    answer = client().chat.completions.create(
        model=CHAT,
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}},
    )
    assert json.loads(answer.choices[0].message.content) == {"city": "Oslo"}, answer


def vision():
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    answer = client().chat.completions.create(model=CHAT, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content, answer


def embeddings():
    # Without a format the SDK asks for base64 and decodes it by itself, after its strict validation wanted numbers.
    decoded = client(_strict_response_validation=False).embeddings.create(model=EMBEDDING, input=["one", "two"])
    floats = client().embeddings.create(model=EMBEDDING, input=["one", "two"], encoding_format="float")
    assert [item.index for item in decoded.data] == [0, 1], decoded
    for ours, theirs in zip(decoded.data, floats.data, strict=True):
        assert len(ours.embedding) == len(theirs.embedding) > 0
        assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(ours.embedding, theirs.embedding, strict=True))
    assert decoded.usage.prompt_tokens == decoded.usage.total_tokens > 0, decoded.usage


def models():
    listed = {model.id: model for model in client().models.list()}
    assert CHAT in listed and EMBEDDING in listed, sorted(listed)
    one = client().models.retrieve(CHAT)
    assert one.id == CHAT and one.object == "model" and one.created >= 0 and one.owned_by, one


def responses():
    answer = client().responses.create(model=CHAT, instructions="Be brief.", input="Hello there", max_output_tokens=64)
    assert answer.object == "response" and answer.status == "completed" and answer.id.startswith("resp_"), answer
    assert answer.output_text and answer.error is None, answer
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0, answer.usage


def stream_responses():
    text, kinds, numbers = "", [], []
    for event in client().responses.create(model=CHAT, input="Hello there", stream=True):
        kinds.append(event.type)
        numbers.append(event.sequence_number)
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type == "response.completed":
            assert event.response.output_text == text, event
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    assert numbers == list(range(len(numbers))), numbers
    assert text


def errors():
    """The classes that need nothing but a bad request."""
    sdk = client()

    def ask(sdk=sdk, **fields):
        return lambda: sdk.chat.completions.create(**{"model": CHAT, "messages": HELLO, **fields})

    raised = refused(openai.BadRequestError, ask(max_completion_tokens=-1))
    assert raised.param == "max_completion_tokens" and raised.type == "invalid_request_error", raised.body
    raised = refused(openai.BadRequestError, ask(n=10_000))
    assert raised.param == "n", raised.body
    broken = {"type": "function", "function": {"name": "f", "parameters": {"type": "no such type"}}}
    raised = refused(openai.BadRequestError, ask(tools=[broken]))
    assert raised.code == "invalid_tool_schema" and raised.param.startswith("tools[0]"), raised.body
    raised = refused(openai.BadRequestError, ask(messages=[{"role": "user", "content": "word " * 400_000}]))
    assert raised.code == "context_length_exceeded", raised.body
    assert sum(part.strip(".,").isdigit() for part in raised.body["message"].replace(",", "").split()) >= 2, raised.body
    raised = refused(openai.AuthenticationError, ask(client(api_key="bo_live_nonsense")))
    assert raised.type == "authentication_error", raised.body
    refused(openai.AuthenticationError, ask(client(api_key="sk-not-ours")))
    raised = refused(openai.PermissionDeniedError, ask(model=os.environ["FORBIDDEN_MODEL"]))
    assert raised.code == "model_not_allowed", raised.body
    raised = refused(openai.NotFoundError, ask(model="no-such-model"))
    assert raised.code == "model_not_found" and raised.param == "model", raised.body
    refused(openai.NotFoundError, lambda: sdk.models.retrieve("no-such-model"))
    refused(openai.NotFoundError, lambda: sdk.post("/chat/no-such-route", cast_to=object, body={}))
    # The SDK reaches every route of the gateway with its own transport.
    model = json.loads(os.environ["NEW_MODEL"])
    admin = client(api_key=os.environ["ADMIN_KEY"])
    refused(openai.ConflictError, lambda: admin.post("/ai/models", cast_to=object, body={**model, "alias": CHAT}))
    wrong = {**model, "context_window": -1}
    refused(openai.UnprocessableEntityError, lambda: admin.post("/ai/models", cast_to=object, body=wrong))
    refused(openai.APIConnectionError, ask(openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="x", max_retries=0)))


def rate_limit():
    raised = refused(openai.RateLimitError, lambda: client().chat.completions.create(model=CHAT, messages=HELLO))
    assert raised.code == "insufficient_quota" and raised.type == "insufficient_quota", raised.body
    assert int(raised.response.headers["retry-after"]) > 0, raised.response.headers


def server_error():
    refused(openai.InternalServerError, lambda: client().chat.completions.create(model=CHAT, messages=HELLO))


def timeout():
    slow = client(timeout=0.5)
    refused(openai.APITimeoutError, lambda: slow.chat.completions.create(model=CHAT, messages=HELLO))


def cut():
    """A stream that fails after its first byte is no stream that ends."""

    def read():
        for _ in client().chat.completions.create(model=CHAT, messages=HELLO, stream=True):
            pass

    raised = refused(openai.APIError, read)
    assert raised.code, raised.body


if __name__ == "__main__":
    for scenario in sys.argv[1:]:
        globals()[scenario]()
        print("ok", scenario, flush=True)
