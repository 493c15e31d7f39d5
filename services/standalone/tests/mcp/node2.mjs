// The official TypeScript SDK 2.x against a gateway, unmodified, with the version of the protocol that is asked for.

import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const { MCP_URL, API_KEY } = process.env;
const [mode, version] = process.argv.slice(2);
const connected = async (key) => {
  const headers = { Authorization: `Bearer ${key}` };
  const transport = new StreamableHTTPClientTransport(new URL(MCP_URL), { requestInit: { headers } });
  const host = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } });
  await host.connect(transport);
  return host;
};

const host = await connected(API_KEY);
assert.equal(host.getNegotiatedProtocolVersion(), version);
const { tools } = await host.listTools();
assert.deepEqual(tools.map((tool) => tool.name).sort(), ["add_memory", "get_context", "list_sessions", "search_memory"]);
const call = async (name, args) => (await host.callTool({ name, arguments: args })).structuredContent;
const added = await call("add_memory", { text: "Node 2 likes yellow tea." });
const query = "Who likes yellow tea?";
const found = await call("search_memory", { query, scope: { user: "me" }, explain: true, neighbours: 1 });
assert.ok(found.hits.some((hit) => hit.id === added.id), JSON.stringify(found));
const context = await call("get_context", { query, scope: { organization: true } });
assert.ok(context.text.includes("Node 2 likes yellow tea."), context.text);
assert.equal((await call("list_sessions", {})).items[0].title, "Broken lamp");
const refused = await host.callTool({ name: "search_memory", arguments: { query } });
assert.equal(refused.isError, true);
assert.equal(JSON.parse(refused.content[0].text).code, "scope_required");
await host.close();
await assert.rejects(connected("bo_test_made_up"), /401/);
