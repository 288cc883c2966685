import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { TlsFiles } from '../../../../proto/document/document.ts';
import type { Refusal } from '../../../../proto/vocab/node.ts';
import type { Material } from '../data/messages.ts';
import { readyMaterial, splitPem } from '../data/tls-peer.ts';
import type { Want } from './plan.ts';

export interface Loaded {
  readonly materials: Readonly<Record<string, Material>>;
  /** Changes when any certificate, key or CA does. */
  readonly fingerprint: string;
  readonly refusals: readonly Refusal[];
}

type Part = keyof TlsFiles;

/** Reads and tries what the plan wants; every refusal names the file and what is wrong with it. */
export async function loadMaterials(wants: readonly Want[]): Promise<Loaded> {
  const refusals: Refusal[] = [];
  const materials: Record<string, Material> = {};
  for (const want of wants) {
    const material = await loadOne(want, (part, message) => {
      const path = want.ofIdentity || part === null ? want.path : `${want.path}.${part}`;
      refusals.push({ code: 'certificate', message, path });
    });
    if (material !== null) materials[want.key] = material;
  }
  const fingerprint = createHash('sha256').update(JSON.stringify(materials)).digest('hex');
  return { materials, fingerprint, refusals };
}

async function loadOne(
  want: Want,
  refuse: (part: Part | null, message: string) => void,
): Promise<Material | null> {
  let sound = true;
  const fault = (part: Part | null, message: string): null => {
    sound = false;
    refuse(part, message);
    return null;
  };
  const read = async (part: Part): Promise<string | null> => {
    const file = want.files[part];
    if (file === null || file === '') return null;
    try {
      return await readFile(file, 'utf8');
    } catch (e) {
      return fault(part, unreadable(file, e as NodeJS.ErrnoException));
    }
  };
  const [cert, key, ca] = [await read('certFile'), await read('keyFile'), await read('caFile')];
  if (!sound) return null;
  if (want.needsKey && (cert === null || key === null)) {
    return fault(cert === null ? 'certFile' : 'keyFile', 'a listener needs certFile and keyFile both');
  }
  const leaf = cert === null ? null : parsed(() => firstCertificate(cert));
  if (typeof leaf === 'string')
    return fault('certFile', `${want.files.certFile}: not a PEM certificate: ${leaf}`);
  const secret = key === null ? null : parsed(() => createPrivateKey(key));
  if (typeof secret === 'string')
    return fault('keyFile', `${want.files.keyFile}: not a PEM private key: ${secret}`);
  if (leaf !== null && secret !== null && !leaf.checkPrivateKey(secret)) {
    return fault('keyFile', `${want.files.keyFile}: the key does not belong to ${want.files.certFile}`);
  }
  const root = ca === null ? null : parsed(() => firstCertificate(ca));
  if (typeof root === 'string')
    return fault('caFile', `${want.files.caFile}: not a PEM certificate: ${root}`);
  const material = { cert, key, ca };
  const ready = parsed(() => readyMaterial(material));
  return typeof ready === 'string' ? fault(null, `the certificate cannot be used: ${ready}`) : material;
}

function firstCertificate(pem: string): X509Certificate {
  const [first] = splitPem(pem);
  if (first === undefined) throw new Error('there is no BEGIN CERTIFICATE in it');
  return new X509Certificate(first);
}

function parsed<T>(read: () => T): T | string {
  try {
    return read();
  } catch (e) {
    return e instanceof Error ? e.message : String(e);
  }
}

function unreadable(file: string, e: NodeJS.ErrnoException): string {
  if (e.code === 'ENOENT') return `${file}: there is no such file`;
  if (e.code === 'EACCES') return `${file}: the engine may not read it`;
  return `${file}: ${e.message}`;
}

/** A word that changes when one of the files does (or comes, or goes). */
export async function stampOf(wants: readonly Want[]): Promise<string> {
  const files = [...new Set(wants.flatMap((w) => Object.values(w.files)))].filter(
    (f) => f !== null && f !== '',
  );
  const stamps = files.map(async (file) => {
    const s = await stat(file as string).catch(() => null);
    return s === null ? 'none' : `${s.ino}:${s.size}:${s.mtimeMs}`;
  });
  return (await Promise.all(stamps)).join(' ');
}
