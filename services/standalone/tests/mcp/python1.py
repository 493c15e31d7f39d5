"""The official Python SDK 1.x against a gateway, unmodified. Run by mcp_hosts.rs, like the others here."""

import asyncio
import json
import os

import httpx
from mcp import ClientSession, McpError
from mcp.client.streamable_http import streamable_http_client


def refusal(result):
    assert result.isError and result.structuredContent is None, result
    return json.loads(result.content[0].text)["code"]


async def session(key, use):
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(headers=headers) as http,
        streamable_http_client(os.environ["MCP_URL"], http_client=http) as (read, write, *_),
        ClientSession(read, write) as host,
    ):
        return await use(host)


async def everything(host):
    greeting = await host.initialize()
    assert greeting.protocolVersion == "2025-11-25" and greeting.serverInfo.name == "brainops", greeting
    names = {tool.name for tool in (await host.list_tools()).tools}
    assert names == {"search_memory", "get_context", "add_memory", "list_sessions"}, names

    added = await host.call_tool("add_memory", {"text": "Python 1 likes green tea."})
    assert added.structuredContent["text"] == "Python 1 likes green tea.", added
    found = await host.call_tool("search_memory", {"query": "Who likes green tea?", "scope": {"user": "me"}})
    assert added.structuredContent["id"] in [hit["id"] for hit in found.structuredContent["hits"]], found
    context = await host.call_tool("get_context", {"query": "green tea", "scope": {"organization": True}})
    assert "Python 1 likes green tea." in context.structuredContent["text"], context
    sessions = await host.call_tool("list_sessions", {"limit": 5})
    assert sessions.structuredContent["items"][0]["title"] == "Broken lamp", sessions

    assert refusal(await host.call_tool("search_memory", {"query": "tea"})) == "scope_required"
    try:
        await host.call_tool("delete_everything", {})
    except McpError as error:
        assert error.error.code == -32602, error
    else:
        raise AssertionError("a tool that does not exist")


async def reading(host):
    await host.initialize()
    assert refusal(await host.call_tool("add_memory", {"text": "x"})) == "insufficient_scope"
    await host.call_tool("list_sessions", {})


async def main():
    await session(os.environ["API_KEY"], everything)
    await session(os.environ["READING_KEY"], reading)


asyncio.run(main())
