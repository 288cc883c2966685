import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { nodeOfSubjectAltName } from '../../proto/link/peer-identity.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import { makeDir, readOrNull, setAside, syncDir, writeSynced } from './durable.ts';

/** PEM. The key is made on this node and never leaves it. */
export interface IdentityPem {
  readonly keyPem: string;
  /** Leaf first. */
  readonly certificatePem: string;
  /** One, or two while the fleet's CA is being replaced. */
  readonly caPem: string;
}

export interface Identity extends IdentityPem {
  readonly node: NodeName;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}

const FILES = { keyPem: 'key.pem', certificatePem: 'cert.pem', caPem: 'ca.pem' } as const;
const PARTS = ['keyPem', 'certificatePem', 'caPem'] as const;

/**
 * Key, certificate and CA in a directory of their own; `current` is a link to it. A renewed pair takes its place by one
 * rename, so a key never stands beside a certificate of another.
 */
export class IdentitySpool {
  /** Where the engine reads them; valid across renewals. */
  readonly files: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
  readonly #dir: string;
  readonly #report: (text: string) => void;

  constructor(settings: { readonly stateDir: string }, needs: { report: (text: string) => void }) {
    this.#dir = path.join(settings.stateDir, 'identity');
    this.#report = needs.report;
    const at = (name: string): string => path.join(this.#dir, 'current', name);
    this.files = { certFile: at(FILES.certificatePem), keyFile: at(FILES.keyPem), caFile: at(FILES.caPem) };
  }

  /** `null`: this node has not joined, or what it had was damaged and is set aside. */
  async load(): Promise<Identity | null> {
    const current = path.join(this.#dir, 'current');
    const [keyPem, certificatePem, caPem] = await Promise.all(
      PARTS.map((part) => readOrNull(path.join(current, FILES[part]))),
    );
    if (keyPem == null && certificatePem == null && caPem == null) return null;
    try {
      if (keyPem == null || certificatePem == null || caPem == null) throw new Error('a part is missing');
      return readIdentity({ keyPem, certificatePem, caPem });
    } catch (e) {
      await setAside(current, e instanceof Error ? e.message : String(e), this.#report);
      return null;
    }
  }

  /** Durable when it settles. @throws what is no identity, before anything is written */
  async store(pem: IdentityPem): Promise<Identity> {
    const identity = readIdentity(pem);
    const name = createHash('sha256').update(pem.certificatePem).digest('hex').slice(0, 16);
    const dir = path.join(this.#dir, name);
    await makeDir(dir);
    for (const part of PARTS) await writeSynced(path.join(dir, FILES[part]), pem[part]);
    await syncDir(dir);
    const link = path.join(this.#dir, 'current.tmp');
    await rm(link, { force: true });
    await symlink(name, link);
    await rename(link, path.join(this.#dir, 'current'));
    await syncDir(this.#dir);
    await this.#sweep(name);
    return identity;
  }

  /** Older pairs go; one that was set aside stays for whoever looks into it. */
  async #sweep(keep: string): Promise<void> {
    const aside = await readlink(path.join(this.#dir, 'current.damaged')).catch(() => null);
    for (const entry of await readdir(this.#dir)) {
      if (/^[0-9a-f]{16}$/.test(entry) && entry !== keep && entry !== aside) {
        await rm(path.join(this.#dir, entry), { recursive: true, force: true });
      }
    }
  }
}

/** @throws Error that says what does not fit */
export function readIdentity(pem: IdentityPem): Identity {
  const leaf = new X509Certificate(pem.certificatePem);
  const cas = pem.caPem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (!leaf.checkPrivateKey(createPrivateKey(pem.keyPem)))
    throw new Error('the key is of another certificate');
  if (!cas.some((ca) => leaf.verify(new X509Certificate(ca).publicKey)))
    throw new Error('the certificate is of another CA');
  const node = nodeOfSubjectAltName(leaf.subjectAltName);
  if (node === null) throw new Error('the certificate names no node');
  return {
    ...pem,
    node,
    notBefore: Date.parse(leaf.validFrom),
    notAfter: Date.parse(leaf.validTo),
  };
}
