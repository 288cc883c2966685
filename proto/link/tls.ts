import { createHash, X509Certificate } from 'node:crypto';
import { checkServerIdentity, connect, type DetailedPeerCertificate, type PeerCertificate } from 'node:tls';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { AppError } from '../vocab/errors.ts';
import { nodeOfSubjectAltName } from './peer-identity.ts';

/** The name every master's certificate carries beside its addresses; Node refuses TLS to a bare IP. */
export const MASTER_TLS_NAME = 'ai-cdn-master';

/** `host:port`, IPv6 in brackets. @throws AppError `invalid` */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const m = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(address.trim());
  const port = Number(m?.[3]);
  if (!m || port < 1 || port > 65_535) {
    throw new AppError('invalid', `not host:port: ${JSON.stringify(address.slice(0, 100))}`);
  }
  return { host: m[1] ?? m[2] ?? '', port };
}

/** What a node shows, and what it trusts. PEM. */
export interface LinkCredentials {
  readonly caPem: string;
  /** Absent while joining: the token is the credential then. */
  readonly identity: { readonly certificatePem: string; readonly keyPem: string } | null;
}

/** A node's certificate is of the same CA and may serve TLS to its peers; it must not pose as the master. */
function checkIsMaster(name: string, certificate: PeerCertificate): Error | undefined {
  if (/\bURI:/.test(certificate.subjectaltname ?? '')) {
    const node = nodeOfSubjectAltName(certificate.subjectaltname);
    return new Error(`the peer is ${node ? `node ${node}` : 'something'}, not a master`);
  }
  return checkServerIdentity(name, certificate);
}

export function channelCredentials(c: LinkCredentials): ChannelCredentials {
  return credentials.createSsl(
    Buffer.from(c.caPem),
    c.identity ? Buffer.from(c.identity.keyPem) : null,
    c.identity ? Buffer.from(c.identity.certificatePem) : null,
    { checkServerIdentity: checkIsMaster },
  );
}

/**
 * Looks at the certificates a master shows, sends nothing, and returns the CA whose sha256 is `pin`, as PEM.
 * Whoever merely copies the CA's certificate passes here and fails at the next handshake, which trusts that CA alone.
 * @param pin sha256 hex of the CA certificate's DER
 * @throws AppError `forbidden` when the CA is another one, `unavailable` or `timeout` when nobody answers
 */
export function fetchPinnedCa(args: {
  readonly address: string;
  readonly pin: string;
  readonly deadlineMs?: number;
}): Promise<string> {
  const { host, port } = parseAddress(args.address);
  const deadlineMs = args.deadlineMs ?? 30_000;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      servername: MASTER_TLS_NAME,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      rejectUnauthorized: false, // judged below, before anything is sent
    });
    const timer = setTimeout(() => {
      finish(new AppError('timeout', `${args.address}: no TLS handshake within ${deadlineMs / 1000} s`));
    }, deadlineMs);
    function finish(result: AppError | string): void {
      clearTimeout(timer);
      // In words where that is possible: a cut in the middle of a handshake looks like an attack to the master.
      if (typeof result === 'string') socket.destroySoon();
      else socket.destroy();
      if (typeof result === 'string') resolve(result);
      else reject(result);
    }
    socket.on('error', (error) => {
      finish(new AppError('unavailable', `${args.address}: ${error.message}`, { cause: error }));
    });
    socket.once('close', () => finish(new AppError('unavailable', `${args.address}: closed the connection`)));
    socket.once('secureConnect', () => finish(pinned(socket.getPeerCertificate(true), args)));
  });
}

function pinned(leaf: DetailedPeerCertificate, args: { address: string; pin: string }): AppError | string {
  const seen: string[] = [];
  let at: DetailedPeerCertificate | undefined = leaf;
  for (let depth = 0; at?.raw && depth < 8; depth++) {
    const digest = createHash('sha256').update(at.raw).digest('hex');
    if (digest === args.pin) {
      const ca = new X509Certificate(at.raw);
      if (!ca.ca) return new AppError('forbidden', `${args.address}: the pinned certificate is not a CA`);
      return ca.toString();
    }
    if (seen.includes(digest)) break;
    seen.push(digest);
    at = at.issuerCertificate;
  }
  return new AppError(
    'forbidden',
    `${args.address} shows another CA (${seen.at(-1)?.slice(0, 12) ?? 'none'}…) than the token names (${args.pin.slice(0, 12)}…); nothing was sent. Check the address, or make a new token on that master`,
  );
}

/** PEM of certificates in DER, leaf first. */
export function pemOfDer(chain: readonly Uint8Array[]): string {
  return chain
    .map((der) => {
      const body = Buffer.from(der)
        .toString('base64')
        .replace(/(.{64})(?=.)/g, '$1\n');
      return `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
    })
    .join('');
}
