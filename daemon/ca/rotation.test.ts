import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import { linkSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { realClock as clock, realRandom as random } from '../../test/fakes/services.ts';
import { makeCa, openCa } from './ca.ts';
import { EC } from './certificates.ts';
import { caPhase, checkStep, takeStep } from './rotation.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-ca-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = () => openCa({ dir }, { clock, random });
const make = () => makeCa(Date.now(), random, true);
const subject = (pem: string): string => new X509Certificate(pem).subject;
const files = () => readdirSync(dir).sort();

async function node(ca: Awaited<ReturnType<typeof open>>) {
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const request = { name: 'CN=hk-1', keys, signingAlgorithm: EC };
  const csr = await x509.Pkcs10CertificateRequestGenerator.create(request);
  const csrDer = new Uint8Array(csr.rawData);
  const { chainDer } = await ca.issueNode({
    csrDer,
    name: 'hk-1' as NodeName,
    now: Date.now(),
    ttlMs: 86_400_000,
  });
  const [leaf, ...cas] = chainDer.map((der) => new X509Certificate(der));
  return {
    by: leaf?.issuer,
    cas: cas.map((c) => c.subject),
    sound: leaf?.verify(cas[0]?.publicKey ?? (null as never)),
  };
}

test('step by step: who issues, who is trusted, what nodes are given', async () => {
  const first = await open();
  const old = subject(first.certificatePem);
  expect(await node(first)).toEqual({ by: old, cas: [old], sound: true });
  expect([await caPhase(dir), first.trustedPem.map(subject)]).toEqual(['settled', [old]]);

  await takeStep(dir, 'begin', make);
  const begun = await open();
  const next = subject(begun.trustedPem[1] ?? '');
  expect(next).not.toBe(old);
  expect([await caPhase(dir), begun.pin]).toEqual(['begun', first.pin]);
  expect(await node(begun)).toEqual({ by: old, cas: [old, next], sound: true });

  await takeStep(dir, 'switch', make);
  const switched = await open();
  expect([await caPhase(dir), switched.trustedPem.map(subject)]).toEqual(['switched', [next, old]]);
  expect(switched.pin).not.toBe(first.pin);
  expect(await node(switched)).toEqual({ by: next, cas: [next, old], sound: true });

  await takeStep(dir, 'retire', make);
  const done = await open();
  expect([await caPhase(dir), done.pin, files()]).toEqual(['settled', switched.pin, ['ca.pem']]);
  expect(await node(done)).toEqual({ by: next, cas: [next], sound: true });
});

test('a step out of turn is refused, and says whose turn it is', async () => {
  await open();
  expect(() => checkStep('settled', 'switch')).toThrow(
    'the CA is settled: what comes next is begin, not switch',
  );
  expect(() => checkStep('begun', 'retire')).toThrow('switch');
  expect(() => checkStep('switched', 'begin')).toThrow('retire');
  await takeStep(dir, 'begin', make);
  const kept = readFileSync(path.join(dir, 'next.pem'), 'utf8');
  await expect(takeStep(dir, 'begin', make)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readFileSync(path.join(dir, 'next.pem'), 'utf8')).toBe(kept);
});

test('a switch that was cut short is begun still, issues as before, and can be taken again', async () => {
  const first = await open();
  await takeStep(dir, 'begin', make);
  linkSync(path.join(dir, 'ca.pem'), path.join(dir, 'old.pem'));
  const cut = await open();
  expect([await caPhase(dir), cut.pin, cut.trustedPem.length]).toEqual(['begun', first.pin, 2]);
  await takeStep(dir, 'switch', make);
  expect([await caPhase(dir), files()]).toEqual(['switched', ['ca.pem', 'old.pem']]);
  expect((await open()).pin).not.toBe(first.pin);
});
