import { connect as http2Connect } from 'node:http2';
import { connect as tlsConnect } from 'node:tls';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { ConnectRequest, ConnectResponse } from '../../proto/gen/aicdn/v1/agent.ts';
import { decodeDown } from '../../proto/link/codec-down.ts';
import { encodeUp } from '../../proto/link/codec-up.ts';
import type { AgentStream, AgentStreamHooks } from '../../proto/link/dial.ts';
import { fromServiceError } from '../../proto/link/error-map.ts';
import { type LinkCredentials, MASTER_TLS_NAME, parseAddress } from '../../proto/link/tls.ts';
import type { DownEnvelope } from '../../proto/vocab/agent-link.ts';
import { AppError } from '../../proto/vocab/errors.ts';

const PING_MS = 60_000;
const HEAD = 5;
const UNAVAILABLE = 14;

/**
 * One agent's conversation: mutual TLS, HTTP/2 and gRPC's frames, without gRPC's client, of which thousands would take the
 * machine from the master that is measured. It dials from an address of its own, as agents do: a master counts
 * by address. Same contract as `openAgentStream`.
 * @param from local address; `null`: whatever the kernel takes
 */
export function openLightStream(
  address: string,
  c: LinkCredentials,
  hooks: AgentStreamHooks,
  from: string | null,
): AgentStream {
  const { host, port } = parseAddress(address);
  let over = false;
  let pings: NodeJS.Timeout | undefined;
  const session = http2Connect(`https://${MASTER_TLS_NAME}`, {
    createConnection: () =>
      tlsConnect({
        ...{ host, port, servername: MASTER_TLS_NAME, ALPNProtocols: ['h2'], ca: c.caPem },
        ...(c.identity ? { cert: c.identity.certificatePem, key: c.identity.keyPem } : {}),
        ...(from === null ? {} : { localAddress: from }),
      }),
    settings: { enablePush: false },
  });
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': '/aicdn.v1.AgentService/Connect',
      'content-type': 'application/grpc',
      te: 'trailers',
    },
    { endStream: false },
  );

  function end(error: AppError | null): void {
    if (over) return;
    over = true;
    clearInterval(pings);
    session.destroy();
    if (error) hooks.onClosed(error);
  }

  const heard = (headers: Record<string, unknown>): void => {
    const code = headers['grpc-status'];
    if (code !== undefined) end(statusOf(Number(code), decoded(headers['grpc-message'])));
  };
  session.on('connect', () => {
    if (!over) pings = setInterval(() => session.destroyed || session.ping(() => undefined), PING_MS);
  });
  session.on('error', (error) => end(statusOf(UNAVAILABLE, error.message)));
  session.on('close', () => end(statusOf(UNAVAILABLE, 'the connection is gone')));
  stream.on('error', (error) => end(statusOf(UNAVAILABLE, error.message)));
  stream.on('response', heard);
  stream.on('trailers', heard);
  stream.on('close', () => end(new AppError('unavailable', 'the master ended the stream')));
  stream.on('drain', () => hooks.onDrain());
  const frames = createFrames((bytes) => {
    if (over) return;
    let down: DownEnvelope;
    try {
      down = decodeDown(ConnectResponse.decode(bytes));
    } catch (error) {
      if (error instanceof AppError && error.code === 'unsupported') return;
      return end(fromServiceError(error));
    }
    hooks.onMessage(down);
  });
  stream.on('data', frames);

  return {
    send(up) {
      if (over) return false;
      return stream.write(framed(ConnectRequest.encode(encodeUp(up)).finish()));
    },
    close: () => end(null),
  };
}

function statusOf(code: number, details: string): AppError {
  const error: ServiceError = Object.assign(new Error(details), { code, details, metadata: new Metadata() });
  return fromServiceError(error);
}

function decoded(message: unknown): string {
  try {
    return decodeURIComponent(`${message ?? ''}`);
  } catch {
    return `${message}`;
  }
}

function framed(message: Uint8Array): Buffer {
  const all = Buffer.allocUnsafe(HEAD + message.length);
  all[0] = 0;
  all.writeUInt32BE(message.length, 1);
  all.set(message, HEAD);
  return all;
}

/** Cuts what arrives into messages. */
export function createFrames(onMessage: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer | null = null;
  return (chunk) => {
    const all = rest ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (all.length - at >= HEAD) {
      const length = all.readUInt32BE(at + 1);
      if (all.length - at - HEAD < length) break;
      onMessage(all.subarray(at + HEAD, at + HEAD + length));
      at += HEAD + length;
    }
    rest = at < all.length ? all.subarray(at) : null;
  };
}
