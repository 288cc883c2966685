import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join } from '../../agent/session/join.ts';
import { parseJoinToken } from '../../proto/link/join-token.ts';
import { MASTER_TLS_NAME } from '../../proto/link/tls.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { testCa } from '../fakes/certificates.ts';
import { Pair } from '../harness/pair.ts';

// S1: a token that is wrong, expired, used, taken back or for something else, and a CA that is another one: nobody joins,
// and a master that is not the token's learns no secret.

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.start();
});
afterAll(() => pair?.stop());

const tryToJoin = async (
  token: string,
  over: Partial<Parameters<typeof join>[0]> = {},
): Promise<AppError | null> => {
  try {
    await join({
      addresses: [pair.address],
      token,
      name: 'hk-evil' as NodeName,
      nodeType: 'edge',
      region: 'hk',
      labels: {},
      agentVersion: '0.1.0',
      ...over,
    });
    return null;
  } catch (e) {
    if (e instanceof AppError) return e;
    throw e;
  }
};
const withParts = (token: string, change: (parts: string[]) => void): string => {
  const parts = token.split('.');
  change(parts);
  return parts.join('.');
};
const flip = (text: string): string => (text[0] === 'a' ? 'b' : 'a') + text.slice(1);

interface Case {
  readonly what: string;
  readonly token: () => Promise<string>;
  readonly over?: Partial<Parameters<typeof join>[0]>;
  readonly said: RegExp;
}
const cases: readonly Case[] = [
  {
    what: 'an unknown token',
    token: async () => withParts(await pair.token(), (p) => p.splice(2, 1, flip(p[2] ?? ''))),
    said: /token is wrong/,
  },
  {
    what: 'a wrong secret',
    token: async () => withParts(await pair.token(), (p) => p.splice(3, 1, flip(p[3] ?? ''))),
    said: /token is wrong/,
  },
  {
    what: 'an expired token',
    token: async () => {
      const token = await pair.token({ ttlMs: 1000 });
      await sleep(1100);
      return token;
    },
    said: /expired at/,
  },
  {
    what: 'a used token',
    token: async () => {
      const token = await pair.token();
      expect(await tryToJoin(token, { name: 'hk-good' as NodeName })).toBeNull();
      return token;
    },
    said: /used by hk-good already/,
  },
  {
    what: 'a token that was taken back',
    token: async () => {
      const token = await pair.token();
      await pair.api.revokeToken({ reason: 'test' }, parseJoinToken(token).id);
      return token;
    },
    said: /taken back/,
  },
  {
    what: 'a token for another place',
    token: () => pair.token({ region: 'sg' }),
    said: /is for a node of type edge in region sg/,
  },
  {
    what: 'a token for another name',
    token: () => pair.token({ name: 'hk-7' }),
    said: /named hk-7/,
  },
  {
    what: 'the hash of another CA',
    token: async () => withParts(await pair.token(), (p) => p.splice(1, 1, flip(p[1] ?? ''))),
    said: /CA/,
  },
];

describe('0 of 8 enrol', () => {
  it.each(cases)('$what', async ({ token, over, said }) => {
    const refused = await tryToJoin(await token(), over);
    expect(refused?.message).toMatch(said);
    const { nodes } = await pair.api.listNodes();
    expect(nodes.filter((n) => n.name === 'hk-evil')).toEqual([]);
  });
});

describe('a master that is not the token’s', () => {
  const listening = async (certificate: { cert: string; key: string }) => {
    const heard: Buffer[] = [];
    const server = createServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket: TLSSocket) => {
      socket.on('data', (c: Buffer) => heard.push(c));
      socket.on('error', () => undefined);
    });
    let met = 0;
    server.on('connection', () => {
      met += 1;
    });
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return {
      address: `127.0.0.1:${port}`,
      heard: () => Buffer.concat(heard).toString('latin1'),
      met: () => met,
      stop: () => server.close(),
    };
  };

  it('with a CA of its own learns nothing: not a byte is sent', async () => {
    const other = await testCa();
    const own = await other.issue({ dns: [MASTER_TLS_NAME] });
    const evil = await listening({ cert: own.certificatePem + other.pem, key: own.keyPem });
    const refused = await tryToJoin(await pair.token(), { addresses: [evil.address] });
    expect(refused?.code).toBe('forbidden');
    expect(evil.met()).toBeGreaterThan(0);
    expect(evil.heard()).toBe('');
    evil.stop();
  });

  it('that shows a copy of the CA’s certificate with a leaf of its own learns no secret either', async () => {
    const token = await pair.token();
    const { pin, secret, id } = parseJoinToken(token);
    const caPem = await readFile(pair.master.bound.ca, 'utf8');
    const other = await testCa('CN=AI CDN Tunnel fleet CA');
    const own = await other.issue({ dns: [MASTER_TLS_NAME] });
    const evil = await listening({ cert: own.certificatePem + caPem, key: own.keyPem });
    expect(pin).toMatch(/^[0-9a-f]{64}$/);
    const refused = await tryToJoin(token, { addresses: [evil.address] });
    expect(refused).not.toBeNull();
    expect(evil.met()).toBeGreaterThan(0);
    expect(evil.heard()).not.toContain(secret);
    expect(evil.heard()).not.toContain(id);
    evil.stop();
  });
});
