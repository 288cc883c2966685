export interface HostPort {
  /** Without brackets; empty is every address. */
  readonly host: string;
  readonly port: number;
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const HOST =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/** `host:port`, `:443`, `[::1]:443`; what is wrong with it as a text. An empty host listens, it cannot be dialled. */
export function parseAddress(text: string, use: 'listen' | 'dial'): HostPort | string {
  const m = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (!m)
    return /^[\da-f:.]*:[\da-f:.]*:/i.test(text) ? 'an IPv6 address needs brackets' : 'must be host:port';
  const port = Number(m[3]);
  if (port < 1 || port > 65_535) return `port ${m[3]} is not in 1-65535`;
  if (m[1] !== undefined) return isIpv6(m[1]) ? { host: m[1], port } : `${m[1]} is not an IPv6 address`;
  const host = m[2] ?? '';
  if (host === '') return use === 'listen' ? { host, port } : 'has no host';
  if (/^[\d.]+$/.test(host)) return IPV4.test(host) ? { host, port } : `${host} is not an IPv4 address`;
  return HOST.test(host) ? { host, port } : `${host} is not a host name`;
}

export function isHost(text: string): boolean {
  return /^[\d.]+$/.test(text) ? IPV4.test(text) : text.includes(':') ? isIpv6(text) : HOST.test(text);
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [h, half] of halves.entries()) {
    if (half === '') {
      if (halves.length === 1) return false;
      continue;
    }
    const parts = half.split(':');
    for (const [i, p] of parts.entries()) {
      const last = h === halves.length - 1 && i === parts.length - 1;
      if (last && p.includes('.')) {
        if (!IPV4.test(p)) return false;
        groups += 2;
      } else if (/^[0-9a-f]{1,4}$/i.test(p)) groups += 1;
      else return false;
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8;
}

/** Two listeners that cannot stand side by side: same port, and the same host or one of them on every address. */
export function collide(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port) return false;
  const every = (h: string) => h === '' || h === '0.0.0.0' || h === '::';
  return every(a.host) || every(b.host) || a.host.toLowerCase() === b.host.toLowerCase();
}
