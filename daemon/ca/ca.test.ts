import 'reflect-metadata';
import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer, type TLSSocket, connect as tlsConnect } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseJoinToken } from '../../proto/link/join-token.ts';
import { nodeOfPeer, nodeOfSubjectAltName } from '../../proto/link/peer-identity.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { type FleetCa, openCa } from './ca.ts';
import { hashSecret, makeToken, secretMatches } from './tokens.ts';

const NOW = 1_795_547_527_000;
const WEEK = 7 * 86_400_000;
const clock = { now: () => NOW };
const random = {
  hex: (n: number) => randomBytes(n).toString('hex'),
  bytes: (n: number) => new Uint8Array(randomBytes(n)),
};
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

let dir: string;
let ca: FleetCa;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'ai-cdn-ca-'));
  ca = await openCa({ dir: path.join(dir, 'ca') }, { clock, random });
  return () => rm(dir, { recursive: true, force: true });
});

async function requestOf(algorithm = EC) {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=somebody-else',
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://ai-cdn/node/other' }]),
    ],
  });
  return { keys, der: new Uint8Array(csr.rawData) };
}
const issue = async (name: string, csrDer?: Uint8Array) =>
  ca.issueNode({ csrDer: csrDer ?? (await requestOf()).der, name: name as NodeName, now: NOW, ttlMs: WEEK });

describe('the authority', () => {
  test('is made once, kept 0600, and the same after a restart', async () => {
    expect(ca.created).toBe(true);
    const file = path.join(dir, 'ca', 'ca.pem');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
    const again = await openCa({ dir: path.join(dir, 'ca') }, { clock, random });
    expect(again.created).toBe(false);
    expect(again.pin).toBe(ca.pin);
    const issued = await again.issueNode({
      csrDer: (await requestOf()).der,
      name: 'n' as NodeName,
      now: NOW,
      ttlMs: WEEK,
    });
    expect(
      new X509Certificate(issued.chainDer[0] ?? '').verify(new X509Certificate(ca.certificatePem).publicKey),
    ).toBe(true);
  });

  test('its pin is the sha256 of its certificate', () => {
    const certificate = new X509Certificate(ca.certificatePem);
    expect(createHash('sha256').update(certificate.raw).digest('hex')).toBe(ca.pin);
    expect(certificate.ca).toBe(true);
    expect(certificate.subject).toBe('CN=AI CDN Tunnel fleet CA');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.validToDate.getTime() - NOW).toBe(10 * 365 * 86_400_000);
  });

  test.each([
    ['cut short', (pem: string) => pem.slice(0, 300)],
    ['empty', () => ''],
    [
      "somebody else's key",
      (pem: string) =>
        generateKeyPairSync('ec', {
          namedCurve: 'P-256',
          privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
          publicKeyEncoding: { type: 'spki', format: 'pem' },
        }).privateKey + pem.slice(pem.indexOf('-----BEGIN CERT')),
    ],
  ])('a file that is damaged (%s) is refused and left as it is', async (_, damage) => {
    const file = path.join(dir, 'ca', 'ca.pem');
    const damaged = damage(await readFile(file, 'utf8'));
    await writeFile(file, damaged);
    await expect(openCa({ dir: path.join(dir, 'ca') }, { clock, random })).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringContaining(file),
    });
    expect(await readFile(file, 'utf8')).toBe(damaged);
  });

  test('an expired one says when', async () => {
    const late = { now: () => NOW + 11 * 365 * 86_400_000 };
    await expect(openCa({ dir: path.join(dir, 'ca') }, { clock: late, random })).rejects.toThrow(
      /expired on 20\d\d-/,
    );
  });
});

describe('node certificates', () => {
  test.each(['hk-1', '香港-1'])('%s: the name asked for by the master, not by the request', async (name) => {
    const { chainDer, serial, notAfter } = await issue(name);
    const [leaf, root] = chainDer.map((der) => new X509Certificate(der));
    if (!leaf || !root) throw new Error('no chain');
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(root.raw.equals(new X509Certificate(ca.certificatePem).raw)).toBe(true);
    expect(nodeOfSubjectAltName(leaf.subjectAltName)).toBe(name);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
    expect(leaf.ca).toBe(false);
    expect(leaf.serialNumber.toLowerCase()).toBe(serial);
    expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
    expect(leaf.validToDate.getTime()).toBe(notAfter);
    expect(notAfter).toBe(NOW + WEEK);
    expect(leaf.validFromDate.getTime()).toBeLessThan(NOW);
  });

  test('no two have the same serial', async () => {
    const { der } = await requestOf();
    expect((await issue('a', der)).serial).not.toBe((await issue('a', der)).serial);
  });

  test('none outlives the authority', async () => {
    const far = {
      csrDer: (await requestOf()).der,
      name: 'a' as NodeName,
      now: NOW,
      ttlMs: 50 * 365 * 86_400_000,
    };
    expect((await ca.issueNode(far)).notAfter).toBe(
      new X509Certificate(ca.certificatePem).validToDate.getTime(),
    );
  });

  test('another curve is refused', async () => {
    const { der } = await requestOf({ name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' });
    await expect(issue('a', der)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('P-256'),
    });
  });

  test.each([
    ["another's key", EC],
    ['a hash that nobody else here uses', { ...EC, hash: 'SHA-384' }],
  ])('a request signed with %s is refused', async (_, algorithm) => {
    const { keys } = await requestOf();
    const other = await requestOf();
    const csr = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=a',
      keys: algorithm === EC ? { publicKey: keys.publicKey, privateKey: other.keys.privateKey } : keys,
      signingAlgorithm: algorithm,
    });
    await expect(issue('a', new Uint8Array(csr.rawData))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('not signed by its own key'),
    });
  });

  test('a request with a byte changed anywhere is refused', async () => {
    const { der } = await requestOf();
    for (let at = 0; at < der.length; at += 7) {
      const bad = Uint8Array.from(der);
      bad[at] = (bad[at] ?? 0) ^ 0x01;
      await expect(issue('a', bad), `byte ${at}`).rejects.toMatchObject({ code: 'invalid' });
    }
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['noise', new Uint8Array(randomBytes(200))],
    ['too much', new Uint8Array(9000)],
  ])('%s is no request', async (_, der) => {
    await expect(issue('a', der)).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('the listener', () => {
  test('has its names, and those every master has', async () => {
    const made = await ca.issueServer({
      names: ['master.example.org', '203.0.113.10', 'localhost', 'münchen.example'],
      now: NOW,
    });
    const leaf = new X509Certificate(made.certificatePem);
    expect(leaf.checkIssued(new X509Certificate(ca.certificatePem))).toBe(true);
    for (const name of ['master.example.org', 'localhost', 'ai-cdn-master', 'xn--mnchen-3ya.example']) {
      expect(leaf.checkHost(name), name).toBe(name);
    }
    for (const ip of ['203.0.113.10', '127.0.0.1', '::1']) expect(leaf.checkIP(ip), ip).toBe(ip);
    expect(leaf.checkHost('evil.example')).toBeUndefined();
    await expect(ca.issueServer({ names: ['a b'], now: NOW })).rejects.toMatchObject({ code: 'invalid' });
  });

  test('mutual TLS: each side knows the other, and a stranger is nobody', async () => {
    // TLS looks at the real clock.
    const now = Date.now();
    const ca = await openCa({ dir: path.join(dir, 'real') }, { clock: { now: () => now }, random });
    const server = await ca.issueServer({ names: [], now });
    const { keys, der } = await requestOf();
    const node = await ca.issueNode({ csrDer: der, name: '香港-1' as NodeName, now, ttlMs: WEEK });
    const key = x509.PemConverter.encode(
      await crypto.subtle.exportKey('pkcs8', keys.privateKey),
      'PRIVATE KEY',
    );
    const cert = node.chainDer
      .map((d) => x509.PemConverter.encode(Uint8Array.from(d).buffer, 'CERTIFICATE'))
      .join('\n');
    const peers: [boolean, string | null][] = [];
    const listener = createServer(
      {
        cert: server.certificatePem,
        key: server.keyPem,
        ca: ca.certificatePem,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (socket) => {
        peers.push([socket.authorized, nodeOfPeer(socket.getPeerCertificate())]);
        socket.end();
      },
    );
    await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
    const { port } = listener.address() as AddressInfo;
    const talk = (extra: object) =>
      new Promise<void>((done, fail) => {
        const socket: TLSSocket = tlsConnect({
          port,
          host: '127.0.0.1',
          servername: 'ai-cdn-master',
          ca: ca.certificatePem,
          ...extra,
        });
        socket
          .on('error', fail)
          .on('close', () => done())
          .resume();
      });
    try {
      await talk({ key, cert });
      await talk({});
    } finally {
      await new Promise((done) => listener.close(done));
    }
    expect(peers).toEqual([
      [true, '香港-1'],
      [false, null],
    ]);
  });
});

describe('join tokens', () => {
  test('carry the pin; only the hash is kept', () => {
    const token = makeToken(ca.pin, random);
    const parts = parseJoinToken(token.text);
    expect(parts).toMatchObject({ pin: ca.pin, id: token.id });
    expect(hashSecret(parts.secret)).toBe(token.secretHash);
    expect(JSON.stringify({ ...token, text: '' })).not.toContain(parts.secret);
    expect(secretMatches(parts.secret, token.secretHash)).toBe(true);
    expect(secretMatches(`${parts.secret}x`, token.secretHash)).toBe(false);
    expect(secretMatches(parts.secret, 'short')).toBe(false);
    expect(makeToken(ca.pin, random).text).not.toBe(token.text);
  });
});
