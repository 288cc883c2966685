import { type ClientHttp2Session, connect as http2Connect } from 'node:http2';
import { connect as tlsConnect } from 'node:tls';
import { MASTER_TLS_NAME, parseAddress } from '../../proto/link/tls.ts';

export interface RawAnswer {
  /** gRPC status; -1: the call ended without one. */
  readonly code: number;
  readonly message: string;
  /** Where it is wrong, JSON; empty where it does not say. */
  readonly refusals: string;
  /** First message of the answer, as it is on the wire. */
  readonly body: Buffer;
}

export interface RawDoor {
  /** `host:port` of the fleet's port. */
  readonly address: string;
  /** Dialled from; some address of 127.0.0.0/8. */
  readonly from?: string;
  readonly identity?: { readonly certificatePem: string; readonly keyPem: string };
}

/** gRPC without a gRPC library: any bytes to any path, from any local address. */
export class RawGrpc {
  readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
  }

  static connect({ address, from, identity }: RawDoor): Promise<RawGrpc> {
    const { host, port } = parseAddress(address);
    return new Promise((resolve, reject) => {
      const session = http2Connect(`https://${MASTER_TLS_NAME}`, {
        createConnection: () =>
          tlsConnect({
            ...{ host, port, servername: MASTER_TLS_NAME, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
            ...(from === undefined ? {} : { localAddress: from }),
            ...(identity ? { cert: identity.certificatePem, key: identity.keyPem } : {}),
          }),
      });
      session.once('error', reject);
      session.once('connect', () => {
        session.off('error', reject);
        session.on('error', () => undefined);
        resolve(new RawGrpc(session));
      });
    });
  }

  get alive(): boolean {
    return !this.session.closed && !this.session.destroyed;
  }

  /**
   * One message, framed. Of a stream the first answer is enough: it is let go then, or after `patienceMs`.
   * @param path `/aicdn.v1.ConsoleService/Login`
   */
  call(
    path: string,
    message: Uint8Array,
    more: { token?: string; patienceMs?: number } = {},
  ): Promise<RawAnswer> {
    return this.send(path, framed(message), more);
  }

  /** Bytes as they are. */
  send(
    path: string,
    bytes: Uint8Array,
    { token, patienceMs = 60_000 }: { token?: string; patienceMs?: number } = {},
  ): Promise<RawAnswer> {
    return new Promise((resolve) => {
      const parts: Buffer[] = [];
      let code = -1;
      let text = '';
      let refusals = '';
      const over = (): void => {
        clearTimeout(late);
        const all = Buffer.concat(parts);
        resolve({ code, message: text, refusals, body: all.subarray(5) });
      };
      const heard = (headers: Record<string, unknown>): void => {
        if (headers['grpc-status'] === undefined) return;
        code = Number(headers['grpc-status']);
        text = decodeURIComponent(`${headers['grpc-message'] ?? ''}`);
        refusals = Buffer.from(`${headers['aicdn-refusals-bin'] ?? ''}`, 'base64').toString('utf8');
      };
      const stream = this.session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      });
      const late = setTimeout(() => stream.close(), patienceMs);
      stream.on('error', () => undefined);
      stream.on('response', heard);
      stream.on('trailers', heard);
      stream.on('data', (d: Buffer) => parts.push(d));
      stream.on('close', over);
      stream.end(bytes);
    });
  }

  close(): void {
    this.session.destroy();
  }
}

/** With the five bytes before it that gRPC has. */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
