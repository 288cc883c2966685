import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Auth, TlsFiles, TunnelDocument } from '../../../../proto/document/document.ts';
import type { Refusal } from '../../../../proto/vocab/node.ts';
import { parseSealedRef, type SealedRef, sealedFile } from '../../../../proto/vocab/secret.ts';

// A document names what is sealed; what is read back of the engine names it still. Only what data is told has the values.

/** Values by reference. */
export type Secrets = Readonly<Record<string, string>>;

/** Reads the passwords a document names. Certificates are read with all others, by their path. */
export async function loadSecrets(
  document: TunnelDocument,
  dir: string,
): Promise<{ readonly secrets: Secrets; readonly refusals: readonly Refusal[] }> {
  const secrets: Record<string, string> = {};
  const refusals: Refusal[] = [];
  for (const { password, path } of passwordsOf(document)) {
    const ref = parseSealedRef(password);
    if (!ref || Object.hasOwn(secrets, password)) continue;
    const file = fileOf(ref, dir);
    try {
      secrets[password] = await readFile(file, 'utf8');
    } catch (e) {
      const why = (e as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(e);
      refusals.push({ code: 'sealed', message: `${file}: ${why}`, path, hint: 'the agent puts it there' });
    }
  }
  return { secrets, refusals };
}

/** The document with paths and values in the place of what it names. Never read back, never kept. */
export function revealed(document: TunnelDocument, dir: string, secrets: Secrets): TunnelDocument {
  const path = (file: string | null): string | null => {
    const ref = file === null ? null : parseSealedRef(file);
    return ref ? fileOf(ref, dir) : file;
  };
  const files = <T extends TlsFiles>(tls: T): T => ({
    ...tls,
    certFile: path(tls.certFile),
    keyFile: path(tls.keyFile),
    caFile: path(tls.caFile),
  });
  const auth = (a: Auth): Auth => ({ ...a, password: secrets[a.password] ?? a.password });
  return {
    ...document,
    services: document.services.map((s) =>
      s.listener.tls ? { ...s, listener: { ...s.listener, tls: files(s.listener.tls) } } : s,
    ),
    hops: document.hops.map((h) => ({
      ...h,
      nodes: h.nodes.map((n) => ({
        ...n,
        connector: { ...n.connector, auth: n.connector.auth && auth(n.connector.auth) },
        dialer: n.dialer.tls ? { ...n.dialer, tls: files(n.dialer.tls) } : n.dialer,
      })),
    })),
    authers: document.authers.map((a) => ({ ...a, auths: a.auths.map(auth) })),
  };
}

function* passwordsOf(document: TunnelDocument): Generator<{ password: string; path: string }> {
  for (const [i, h] of document.hops.entries()) {
    for (const [j, n] of h.nodes.entries()) {
      const path = `hops[${i}].nodes[${j}].connector.auth.password`;
      if (n.connector.auth) yield { password: n.connector.auth.password, path };
    }
  }
  for (const [i, a] of document.authers.entries()) {
    for (const [j, { password }] of a.auths.entries()) {
      yield { password, path: `authers[${i}].auths[${j}].password` };
    }
  }
}

function fileOf(ref: SealedRef, dir: string): string {
  return join(dir, sealedFile(ref));
}
