import { AppError } from '../../proto/vocab/errors.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { written } from './member.ts';
import { fill, type Values } from './template.ts';
import type { Left, Upstream } from './upstreams.ts';

export interface Frame {
  readonly at: string;
  readonly left: readonly Left[];
  /** TLS ends here for the services in clear: a certificate with its chain, and its key. */
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** The node is told the client's address by the PROXY protocol; its listener has to await that. */
  readonly proxyProtocol: boolean;
  /** Empty: none. */
  readonly accessLog: string;
}

/** A path as it may stand in either program's file. @throws AppError `invalid` */
export function safePath(flag: string, path: string): string {
  if (/^[A-Za-z0-9_./@+-]{1,255}$/.test(path)) return path;
  throw new AppError('invalid', `${flag} ${safeText(path)}: letters, digits and _ . / @ + - only`);
}

/** What came from nodes and operators cannot end the comment it stands in. */
const comment = (text: string): string => safeText(text, { max: 200 });

export function render(template: string, upstreams: readonly Upstream[], frame: Frame): string {
  const shown = (u: Upstream): Values => ({
    id: u.id,
    service: comment(u.service),
    listen: u.listen,
    // haproxy wants a colon where there is a port alone.
    bind: u.listen.includes(':') ? u.listen : `:${u.listen}`,
    servers: u.servers.map((s) => ({
      server: s.name.replace(/[^A-Za-z0-9._-]/g, '_'),
      address: written(s),
      weight: s.weight,
      backup: s.backup,
      note: comment([s.name, s.region, s.note].filter((t) => t !== '').join(', ')),
    })),
  });
  return fill(template, {
    at: frame.at,
    http: upstreams.filter((u) => u.kind === 'http').map(shown),
    tcp: upstreams.filter((u) => u.kind === 'tcp').map(shown),
    left: frame.left.map((l) => ({ name: comment(l.name), why: comment(l.why) })),
    tls: frame.tlsCert !== null,
    tls_cert: frame.tlsCert ?? '',
    tls_key: frame.tlsKey ?? '',
    proxy_protocol: frame.proxyProtocol,
    send_proxy: frame.proxyProtocol ? ' send-proxy-v2 check-send-proxy' : '',
    access_log: frame.accessLog,
  });
}
