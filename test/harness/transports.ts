/** The transports between edge and core: one row each, for the interoperation matrix and the benchmarks. */
export const TRANSPORTS = ['tcp', 'tls', 'ws', 'wss', 'mtls', 'mws', 'mwss'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface TlsFilePaths {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

export function isSecure(t: Transport): boolean {
  return t === 'tls' || t === 'wss' || t === 'mtls' || t === 'mwss';
}

export function isMux(t: Transport): boolean {
  return t === 'mtls' || t === 'mws' || t === 'mwss';
}

export function isWebSocket(t: Transport): boolean {
  return t === 'ws' || t === 'wss' || t === 'mws' || t === 'mwss';
}

/** A listener's or a dialer's place in the tunnel document. Certificates are shown and asked for on both sides. */
export function transportYaml(
  side: 'listener' | 'dialer',
  t: Transport,
  with_: { tls: TlsFilePaths; serverName: string; connections?: number },
): string {
  const { tls, serverName, connections } = with_;
  const parts = [`type: ${t}`];
  if (isSecure(t)) {
    const files = `certFile: ${tls.certFile}, keyFile: ${tls.keyFile}, caFile: ${tls.caFile}`;
    parts.push(`tls: {${files}${side === 'dialer' ? `, secure: true, serverName: ${serverName}` : ''}}`);
  }
  const metadata = [...(isWebSocket(t) ? ['path: /ws'] : []), ...(isMux(t) ? ['mux.version: 2'] : [])];
  if (side === 'dialer' && isMux(t) && connections !== undefined)
    metadata.push(`mux.connections: ${connections}`);
  if (metadata.length > 0) parts.push(`metadata: {${metadata.join(', ')}}`);
  return `{${parts.join(', ')}}`;
}

/** The same for the Go peer's command line. */
export function transportFlags(t: Transport, with_: { tls: TlsFilePaths; mux: 1 | 2 }): string[] {
  const { tls, mux } = with_;
  const flags = ['-transport', t, '-mux', String(mux)];
  if (isSecure(t)) flags.push('-cert', tls.certFile, '-key', tls.keyFile, '-ca', tls.caFile);
  return flags;
}
