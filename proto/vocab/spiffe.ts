import { isNodeName, type NodeName } from './ids.ts';

const PREFIX = 'spiffe://ai-cdn/node/';

/** A node's identity inside its certificate: `spiffe://ai-cdn/node/<name>`, the name percent-encoded (URIs are ASCII). */
export function spiffeOf(name: NodeName): string {
  return PREFIX + encodeURIComponent(name);
}

/** The node a SPIFFE URI names; `null` for anything that `spiffeOf` would not have written, byte for byte. */
export function nameFromSpiffe(uri: string): NodeName | null {
  if (!uri.startsWith(PREFIX)) return null;
  let name: string;
  try {
    name = decodeURIComponent(uri.slice(PREFIX.length));
  } catch {
    return null;
  }
  return isNodeName(name) && spiffeOf(name) === uri ? name : null;
}

/** The same name as a DNS SAN: as it is where it is ASCII, else `x-<hex of its UTF-8>` cut to a DNS label. */
export function dnsNameOf(name: NodeName): string {
  if (/^[a-z0-9-]+$/.test(name)) return name;
  const hex = [...new TextEncoder().encode(name)].map((b) => b.toString(16).padStart(2, '0')).join('');
  return `x-${hex}`.slice(0, 63);
}
