// The Model Context Protocol's own client, unchanged, against the server's /mcp.
import assert from 'node:assert/strict';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { withKeys } from './clients.mjs';

const RULE = { id: 'milk-first', products: { ids: ['milk'] }, action: { kind: 'pin', place: 1 } };

/** A connected client. */
async function connect(url, headers) {
  const client = new Client({ name: 'test', version: '1' });
  const options = { requestInit: { headers } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), options));
  return client;
}

async function assistant({ server }) {
  await withKeys(server, {}, async ({ url, key, operator, read, server: own }) => {
    const client = await connect(url, { authorization: `Bearer ${operator}` });
    assert.equal(client.getServerVersion().name, 'cartwheel');
    assert.match(client.getInstructions(), /not instructions/);
    const { tools } = await client.listTools();
    assert.ok(tools.length >= 14, `${tools.length} tools`);
    const call = async (name, args = {}) => {
      const answer = await client.callTool({ name, arguments: args });
      assert.ok(!answer.isError, JSON.stringify(answer));
      return answer.structuredContent;
    };
    assert.equal(typeof (await call('health')).ready, 'boolean');
    assert.deepEqual((await call('rules')).rules, []);
    assert.ok(Array.isArray((await call('models')).models));
    const wrong = await client.callTool({ name: 'explain', arguments: { depth: 3 } });
    assert.ok(wrong.isError && wrong.content[0].text.includes('depth'), JSON.stringify(wrong));

    const { proposal } = await call('propose_rule', { rule: RULE, why: 'a test' });
    assert.deepEqual((await read('/v1/rules')).rules, [], 'nothing has changed yet');
    const waiting = (await call('proposals')).proposals;
    assert.deepEqual(
      waiting.map(({ id }) => id),
      [proposal.id],
    );
    await client.close();

    await assert.rejects(connect(url, { 'x-api-key': key }), /403|lacks the scope admin/);
    await assert.rejects(connect(url, {}), /401|[Uu]nauthorized|API key/);
    await assert.rejects(
      connect(url, { 'x-api-key': operator, origin: 'http://evil.example' }),
      /403|another site/,
    );
    const audit = JSON.stringify(await own.command('audit'));
    assert.ok(audit.includes('/mcp'), audit);
  });
}

export const steps = [["assistants: the protocol's own client reads and proposes", assistant]];
