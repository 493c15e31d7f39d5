"""The official Python SDK 2.x against a gateway, unmodified, with the version of the protocol that is asked for."""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


def refusal(result):
    assert result.is_error and result.structured_content is None, result
    return json.loads(result.content[0].text)["code"]


async def session(key, mode, use):
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(streamable_http_client(os.environ["MCP_URL"], http_client=http), mode=mode) as host,
    ):
        return await use(host)


async def everything(host):
    names = {tool.name for tool in (await host.list_tools()).tools}
    assert names == {"search_memory", "get_context", "add_memory", "list_sessions"}, names
    added = await host.call_tool("add_memory", {"text": "Python 2 likes black tea."})
    assert added.structured_content["text"] == "Python 2 likes black tea.", added
    found = await host.call_tool("search_memory", {"query": "Who likes black tea?", "scope": {"user": "me"}})
    assert added.structured_content["id"] in [hit["id"] for hit in found.structured_content["hits"]], found
    context = await host.call_tool("get_context", {"query": "black tea", "scope": {"organization": True}})
    assert "Python 2 likes black tea." in context.structured_content["text"], context
    sessions = await host.call_tool("list_sessions", {"limit": 5})
    assert sessions.structured_content["items"][0]["title"] == "Broken lamp", sessions
    assert refusal(await host.call_tool("search_memory", {"query": "tea"})) == "scope_required"
    return host.protocol_version


async def let_in(key, mode):
    async def welcome(_):
        return True

    try:
        return await session(key, mode, welcome)
    except Exception:
        return False


async def main(mode, version):
    key = os.environ["API_KEY"]
    spoken = await session(key, mode, everything)
    assert spoken == version, spoken
    assert await let_in(key, mode)
    assert not await let_in("bo_test_made_up", mode)


asyncio.run(main(*sys.argv[1:]))
