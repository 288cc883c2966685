// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import { expect, it } from 'vitest';
import { scopeOf } from '../../daemon/service/scope.ts';
import { Templates } from '../../daemon/service/templates.ts';
import { renderDocument } from '../../proto/document/mould.ts';
import { templateVariables } from '../../proto/document/variables.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

const TEMPLATE = `\
services:
- name: chat-\${node.name}
  addr: "127.0.0.1:\${label.port}"
  handler: {type: tcp, chain: c}
  listener: {type: tcp}
chains: [{name: c, hops: [{name: cores}]}, {name: unused, hops: [{name: cores}]}]
hops:
- name: cores
  nodes:
  - name: "\${core.name}"
    addr: "\${core.label.addr}:8443"
    connector: {type: relay, auth: {username: "\${node.name}", password: "\${secret.p}"}}
    dialer: {type: tls}
`;
const PORTS = ['7001', '7002', '0', 'a b', '', '7003', '70 #1', 'null', '07004'];

it('each node is told what its template says in full, whoever was rendered before, while cores come and secrets change', async () => {
  const m = await MemoryMaster.start();
  for (const [i, port] of PORTS.entries()) await m.join(`hk-${i}`, port === '' ? {} : { port });
  await m.join('cn-1', { addr: '192.0.2.1' }, { nodeType: 'core' });
  await m.create('v1', edgeDocument(7001));
  await m.publish('v1');
  await m.ackAll();
  const put = (value: string) => m.services.secrets.putSecret(m.m(), { name: 'p', value });
  await put('hunter2-one');
  const templates = new Templates(m.store, m.vault);
  templates.keep('t' as never, TEMPLATE);
  const version = { bodyHash: 't', label: 'v9' } as never;
  const names = templateVariables(TEMPLATE);
  const seen = new Set<string>();
  let refused = 0;
  const look = (): void => {
    const view = m.store.snapshot();
    for (const node of view.list('node') as readonly Node[]) {
      const r = renderDocument(TEMPLATE, scopeOf(view, node, names));
      for (const made of [templates.render(view, version, node), templates.render(view, version, node)]) {
        if (!r.ok || !made.ok) {
          expect(made).toEqual(r);
          refused += 1;
          continue;
        }
        const { hash, warnings, source } = r.rendering;
        expect([made.hash, made.warnings, made.source.text()]).toEqual([hash, warnings, source.text()]);
        expect(new TextDecoder().decode(templates.sent(made))).toBe(source.text());
        expect(templates.document(made)).toEqual(r.rendering.document);
        expect(made.sealed).toHaveLength(1);
        seen.add(hash);
      }
    }
  };
  look();
  await m.join('cn-2', { addr: '192.0.2.2' }, { nodeType: 'core' });
  await m.ackAll();
  look();
  await put('hunter2-two');
  look();
  expect([seen.size, refused > 10]).toEqual([12, true]);
});
