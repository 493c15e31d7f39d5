"""The official Anthropic SDK against a gateway, unmodified: one scenario a run. See openai_sdk.py."""

import os
import sys

import anthropic

CHAT = os.environ["CHAT_MODEL"]
HELLO = [{"role": "user", "content": "Hello there"}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather at a place",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def client(**options):
    options.setdefault("api_key", os.environ["API_KEY"])
    options.setdefault("max_retries", 0)
    return anthropic.Anthropic(base_url=os.environ["GATEWAY_URL"], _strict_response_validation=True, **options)


def refused(error, call):
    try:
        call()
    except anthropic.AnthropicError as raised:
        assert type(raised) is error, f"{type(raised).__name__}: {raised}"
        return raised
    raise AssertionError(f"no {error.__name__}")


def chat():
    raw = client().messages.with_raw_response.create(
        model=CHAT, system="Be brief.", messages=HELLO, max_tokens=64, stop_sequences=["###"]
    )
    answer = raw.parse()
    assert answer.type == "message" and answer.role == "assistant" and answer.model == CHAT, answer
    assert answer.id.startswith("msg_") and answer.stop_reason == "end_turn", answer
    assert answer.content[0].type == "text" and answer.content[0].text, answer
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer.usage
    assert raw.headers["x-brainops-provider"], raw.headers


def stream():
    with client().messages.stream(model=CHAT, messages=HELLO, max_tokens=64) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    assert text and final.content[0].text == text, final
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0, final


def tools():
    answer = client().messages.create(
        model=CHAT, messages=HELLO, max_tokens=64, tools=[WEATHER], tool_choice={"type": "any"}
    )
    assert answer.stop_reason == "tool_use", answer
    (call,) = [block for block in answer.content if block.type == "tool_use"]
    assert call.name == "get_weather" and call.input == {"city": "Oslo"}, call
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
    followed = client().messages.create(
        model=CHAT,
        max_tokens=64,
        tools=[WEATHER],
        messages=[
            *HELLO,
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
            {"role": "user", "content": [result]},
        ],
    )
    assert followed.content[0].text, followed


def stream_tools():
    with client().messages.stream(model=CHAT, messages=HELLO, max_tokens=64, tools=[WEATHER]) as events:
        final = events.get_final_message()
    (call,) = [block for block in final.content if block.type == "tool_use"]
    assert call.input == {"city": "Oslo"} and final.stop_reason == "tool_use", final


def count_tokens():
    counted = client().messages.count_tokens(model=CHAT, messages=HELLO, system="Be brief.")
    assert counted.input_tokens > 0, counted


def models():
    listed = [model.id for model in client().models.list()]
    assert CHAT in listed, listed
    one = client().models.retrieve(CHAT)
    assert one.id == CHAT and one.type == "model" and one.display_name, one


def errors():
    sdk = client()

    def ask(sdk=sdk, **fields):
        return lambda: sdk.messages.create(**{"model": CHAT, "messages": HELLO, "max_tokens": 64, **fields})

    raised = refused(anthropic.BadRequestError, ask(max_tokens=-1))
    assert raised.body["error"]["type"] == "invalid_request_error", raised.body
    assert "max_tokens" in raised.body["error"]["message"], raised.body
    raised = refused(anthropic.AuthenticationError, ask(client(api_key="bo_live_nonsense")))
    assert raised.body["error"]["type"] == "authentication_error", raised.body
    raised = refused(anthropic.PermissionDeniedError, ask(model=os.environ["FORBIDDEN_MODEL"]))
    assert raised.body["error"]["type"] == "permission_error", raised.body
    raised = refused(anthropic.NotFoundError, ask(model="no-such-model"))
    assert raised.body["error"]["type"] == "not_found_error", raised.body
    refused(anthropic.APIConnectionError, ask(anthropic.Anthropic(base_url="http://127.0.0.1:1", api_key="x", max_retries=0)))


def too_large():
    huge = [{"role": "user", "content": "x" * (30 << 20)}]
    raised = refused(
        anthropic.RequestTooLargeError, lambda: client().messages.create(model=CHAT, messages=huge, max_tokens=64)
    )
    assert raised.body["error"]["type"] == "request_too_large", raised.body


def rate_limit():
    raised = refused(
        anthropic.RateLimitError, lambda: client().messages.create(model=CHAT, messages=HELLO, max_tokens=64)
    )
    assert raised.body["error"]["type"] == "rate_limit_error", raised.body


def server_error():
    try:
        client().messages.create(model=CHAT, messages=HELLO, max_tokens=64)
    except anthropic.APIStatusError as raised:
        assert raised.status_code >= 500, raised
        assert raised.body["error"]["type"] in ("api_error", "overloaded_error"), raised.body
        return
    raise AssertionError("no error")


def cut():
    def read():
        with client().messages.stream(model=CHAT, messages=HELLO, max_tokens=64) as events:
            for _ in events:
                pass

    try:
        read()
    except anthropic.APIError as raised:
        assert raised.body["error"]["type"], raised.body
        return
    raise AssertionError("no error")


if __name__ == "__main__":
    for scenario in sys.argv[1:]:
        globals()[scenario]()
        print("ok", scenario, flush=True)
