import 'reflect-metadata';
import { createHash, createPrivateKey, X509Certificate as NodeCertificate } from 'node:crypto';
import path from 'node:path';
import * as x509 from '@peculiar/x509';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { Ca, Clock, Random } from '../service/ports.ts';
import {
  EC,
  generateKeys,
  hostNames,
  type Issuer,
  issueLeaf,
  keyOfRequest,
  nodeNames,
  selfSigned,
} from './certificates.ts';
import { readKept, writeKept } from './kept-file.ts';
import { CA_FILES } from './rotation.ts';

const CA_NAME = 'AI CDN Tunnel fleet CA';
const CA_TTL_MS = 10 * 365 * 86_400_000;
const SERVER_TTL_MS = 365 * 86_400_000;
/** What every master answers to, whatever its host is called; agents dial with the last one as their target name. */
const ALWAYS = ['localhost', '127.0.0.1', '::1', 'ai-cdn-master'];

export interface ServerCertificate {
  /** Leaf, then the CA. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly notAfter: Millis;
}

export interface FleetCa extends Ca {
  /** Who is trusted, PEM: the one that issues, and while it is being replaced the other one as well. */
  readonly trustedPem: readonly string[];
  /** This start made it: agents of an earlier one will not know it. */
  readonly created: boolean;
  /** For the listener that agents reach: its names and addresses, and those every master has. A year long. */
  issueServer(args: {
    readonly names: readonly string[];
    readonly now: Millis;
    readonly ttlMs?: number;
  }): Promise<ServerCertificate>;
}

/**
 * Loads the fleet's CA from `<dir>/ca.pem` (key and certificate in one file, so that one rename makes both), or makes it.
 * @throws AppError `precondition` when what is there cannot be used: it is never replaced
 */
export async function openCa(
  { dir }: { readonly dir: string },
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<FleetCa> {
  const file = path.join(dir, CA_FILES.current);
  const kept = await readKept(file).catch((cause: Error) => {
    throw unusable(file, cause.message, cause);
  });
  const pem = kept ?? (await makeCa(clock.now(), random));
  if (kept === null)
    await writeKept(file, pem).catch((cause: Error) => {
      throw new AppError(
        'precondition',
        `the fleet's CA cannot be kept in ${file}: ${cause.message}. Give this user the directory, or name another in state_dir.`,
        { cause },
      );
    });
  const issuer = await load(file, pem, clock.now());
  const caDer = new Uint8Array(issuer.certificate.rawData);
  const caPem = issuer.certificate.toString('pem');
  const others = await beside(dir, caDer, clock.now());

  return {
    created: kept === null,
    pin: createHash('sha256').update(caDer).digest('hex'),
    certificatePem: caPem,
    certificateDer: caDer,
    trustedPem: [caPem, ...others.map((c) => c.toString('pem'))],

    async issueNode({ csrDer, name, now, ttlMs }) {
      const publicKey = await keyOfRequest(csrDer);
      const serial = serialNumber(random);
      const leaf = await issueLeaf(issuer, {
        publicKey,
        commonName: name,
        names: nodeNames(name),
        uses: ['clientAuth', 'serverAuth'],
        serial,
        now,
        ttlMs,
      });
      return {
        chainDer: [new Uint8Array(leaf.rawData), caDer, ...others.map((c) => new Uint8Array(c.rawData))],
        serial,
        notAfter: leaf.notAfter.getTime(),
      };
    },

    async issueServer({ names, now, ttlMs }) {
      const keys = await generateKeys();
      const leaf = await issueLeaf(issuer, {
        publicKey: keys.publicKey,
        commonName: 'ai-cdn-master',
        names: hostNames([...names, ...ALWAYS]),
        uses: ['serverAuth'],
        serial: serialNumber(random),
        now,
        ttlMs: ttlMs ?? SERVER_TTL_MS,
      });
      return {
        certificatePem: `${leaf.toString('pem')}\n${caPem}\n`,
        keyPem: await privateKeyPem(keys.privateKey),
        notAfter: leaf.notAfter.getTime(),
      };
    },
  };
}

/** The one to come and the one that goes, while the fleet's CA is being replaced. One that expired is nobody's. */
async function beside(dir: string, current: Uint8Array, now: Millis): Promise<x509.X509Certificate[]> {
  const out: x509.X509Certificate[] = [];
  for (const name of [CA_FILES.next, CA_FILES.old]) {
    const file = path.join(dir, name);
    const pem = await readKept(file).catch((cause: Error) => {
      throw unusable(file, cause.message, cause);
    });
    if (pem === null) continue;
    const { certificate } = await load(file, pem, 0);
    const same = Buffer.from(certificate.rawData).equals(current);
    if (!same && certificate.notAfter.getTime() > now) out.push(certificate);
  }
  return out;
}

/** A key and its certificate, PEM. @param next its name tells it from the one it comes after */
export async function makeCa(now: Millis, random: Random, next = false): Promise<string> {
  const keys = await generateKeys();
  const serial = serialNumber(random);
  const certificate = await selfSigned({
    keys,
    name: next ? `${CA_NAME} ${serial.slice(0, 8)}` : CA_NAME,
    serial,
    now,
    ttlMs: CA_TTL_MS,
  });
  return `${await privateKeyPem(keys.privateKey)}${certificate.toString('pem')}\n`;
}

async function load(file: string, pem: string, now: Millis): Promise<Issuer> {
  let node: NodeCertificate;
  let matches: boolean;
  let key: CryptoKey;
  let certificate: x509.X509Certificate;
  try {
    const privateKey = createPrivateKey(pem);
    node = new NodeCertificate(pem);
    matches = node.checkPrivateKey(privateKey);
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
    key = await crypto.subtle.importKey('pkcs8', Uint8Array.from(pkcs8), EC, false, ['sign']);
    certificate = new x509.X509Certificate(Uint8Array.from(node.raw));
  } catch (cause) {
    throw unusable(file, 'it does not hold a P-256 key and a certificate', cause);
  }
  if (!matches) throw unusable(file, 'its key is not that of its certificate');
  if (!node.ca) throw unusable(file, 'its certificate is not that of an authority');
  if (certificate.notAfter.getTime() <= now)
    throw unusable(file, `it expired on ${certificate.notAfter.toISOString()}`);
  return { certificate, key };
}

function unusable(file: string, why: string, cause?: unknown): AppError {
  return new AppError(
    'precondition',
    `the fleet's CA in ${file} cannot be used: ${why}. Restore the file from a backup; without it every node has to join again.`,
    { cause },
  );
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

/** 128 bits, positive, of full length. */
function serialNumber(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}
