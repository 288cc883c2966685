import path from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newKey } from '../../agent/session/csr.ts';
import { join } from '../../agent/session/join.ts';
import { type FleetCa, openCa } from '../../daemon/ca/ca.ts';
import { openAgentStream } from '../../proto/link/dial.ts';
import { MASTER_TLS_NAME, parseAddress, pemOfDer } from '../../proto/link/tls.ts';
import type { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { testCa } from '../fakes/certificates.ts';
import { hello, realClock, realRandom } from '../fakes/services.ts';
import { Pair } from '../harness/pair.ts';

// S2: who shows no certificate, one of another CA, an expired or revoked one, another's name, or an old TLS, is out.

const DAY = 86_400_000;
let pair: Pair;
let ca: FleetCa;
let caPem: string;
beforeAll(async () => {
  pair = await Pair.start();
  // The master's own: what it has signed, and would never sign again.
  ca = await openCa({ dir: path.join(pair.dir, 'master', 'ca') }, { clock: realClock, random: realRandom });
  caPem = ca.certificatePem;
  for (const name of ['hk-1', 'hk-2', 'hk-3']) {
    await join({
      ...{ addresses: [pair.address], token: await pair.token(), name: name as NodeName },
      ...{ nodeType: 'edge', region: 'hk', labels: {}, agentVersion: '0.1.0' },
    });
  }
});
afterAll(() => pair?.stop());

type Identity = { certificatePem: string; keyPem: string } | null;

const signed = async (name: string, now = Date.now(), ttlMs = 7 * DAY): Promise<Identity> => {
  const { keyPem, csrDer } = await newKey(name);
  const { chainDer } = await ca.issueNode({ csrDer, name: name as NodeName, now, ttlMs });
  return { keyPem, certificatePem: pemOfDer(chainDer) };
};

/** Says hello as this one; how the conversation ended. */
function refused(identity: Identity, labels: Record<string, string> = {}): Promise<AppError> {
  return new Promise((resolve) => {
    const stream = openAgentStream(
      pair.address,
      { caPem, identity },
      {
        onMessage: () => undefined,
        onDrain: () => undefined,
        onClosed: resolve,
      },
    );
    stream.send({ instanceUid: '11'.repeat(16), sequence: 1, body: { kind: 'hello', ...hello, labels } });
  });
}
const live = (): number => pair.masterLog.lines.filter((l) => l.message === 'agent connected').length;

it('no certificate', async () => {
  const before = live();
  expect(await refused(null)).toMatchObject({ code: 'unauthenticated', message: 'no certificate was shown' });
  expect(live()).toBe(before);
});

it('the same name by another CA of the same name', async () => {
  const before = live();
  const other = await testCa('CN=AI CDN Tunnel fleet CA');
  const forged = await other.issue({ uri: 'spiffe://ai-cdn/node/hk-1' });
  expect(await refused(forged)).toMatchObject({
    code: 'unauthenticated',
    message: 'the certificate is from another CA',
  });
  expect(live()).toBe(before);
});

it('expired for longer than may renew', async () => {
  const before = live();
  const old = await signed('hk-1', Date.now() - 38 * DAY);
  expect((await refused(old)).message).toMatch(/hk-1 expired at .*more than 30 days ago/);
  expect(live()).toBe(before);
});

it('revoked', async () => {
  const before = live();
  const good = await signed('hk-2');
  await pair.api.removeNode({ reason: 'test' }, { name: 'hk-2', keep: true });
  expect(await refused(good)).toMatchObject({
    code: 'unauthenticated',
    message: 'the certificate of hk-2 is revoked',
  });
  // Removed without a trace in the list, it stays out as well.
  const other = await signed('hk-3');
  await pair.api.removeNode({ reason: 'test' }, { name: 'hk-3', keep: false });
  expect((await refused(other)).message).toBe('the certificate of hk-3 is revoked');
  expect(live()).toBe(before);
});

it('another’s name in what it says', async () => {
  const before = live();
  const mine = await signed('hk-1');
  expect((await refused(mine, { node: 'sg-9' })).code).toBe('forbidden');
  expect(live()).toBe(before);
});

it('TLS 1.1', async () => {
  const { host, port } = parseAddress(pair.address);
  const letIn = await new Promise<boolean>((resolve) => {
    const socket = tlsConnect({
      ...{ host, port, servername: MASTER_TLS_NAME, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
      ...{ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    });
    socket.on('error', () => undefined);
    socket.on('secureConnect', () => resolve(true));
    socket.on('close', () => resolve(false));
  });
  expect(letIn).toBe(false);
});
