import { type ClientOptions, credentials, Metadata } from '@grpc/grpc-js';
import { AgentServiceClient, type ConnectRequest, type ConnectResponse } from '../gen/aicdn/v1/agent.ts';
import { ConsoleServiceClient } from '../gen/aicdn/v1/console.ts';
import type { DownEnvelope, UpEnvelope } from '../vocab/agent-link.ts';
import { AppError } from '../vocab/errors.ts';
import type { Millis, NodeName } from '../vocab/ids.ts';
import { decodeDown } from './codec-down.ts';
import { type EnrolArgs, encodeEnrol, encodeUp } from './codec-up.ts';
import { fromServiceError } from './error-map.ts';
import { channelCredentials, type LinkCredentials, MASTER_TLS_NAME, parseAddress } from './tls.ts';
import * as w from './wire.ts';

/** The most a peer may send in one message. */
export const MOST_MESSAGE_BYTES = 256 * 1024;
/** A console asks for whole lists of its own master. */
const MOST_CONSOLE_BYTES = 32 * 1024 * 1024;
const DIAL_DEADLINE_MS = 30_000;

const COMMON: ClientOptions = {
  'grpc.use_local_subchannel_pool': 1, // a new channel is a new connection: no other channel's backoff is inherited
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
};

/** One channel to one master. `close` it; a broken one is replaced, not mended. */
export function dialMaster(address: string, c: LinkCredentials): AgentServiceClient {
  const { host, port } = parseAddress(address);
  const target = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new AgentServiceClient(target, channelCredentials(c), {
    ...COMMON,
    'grpc.ssl_target_name_override': MASTER_TLS_NAME,
    'grpc.default_authority': MASTER_TLS_NAME,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 30_000,
    'grpc.max_receive_message_length': MOST_MESSAGE_BYTES,
    'grpc.max_send_message_length': MOST_MESSAGE_BYTES,
  });
}

export function dialConsole(socketPath: string): ConsoleServiceClient {
  return new ConsoleServiceClient(`unix:${socketPath}`, credentials.createInsecure(), {
    ...COMMON,
    // A stopped master keeps its socket open: only an unanswered ping tells.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_receive_message_length': MOST_CONSOLE_BYTES,
    'grpc.max_send_message_length': MOST_MESSAGE_BYTES,
  });
}

/** The console's calls on the agents' port. @param caPem of the fleet's CA, pinned */
export function dialConsoleAt(address: string, caPem: string): ConsoleServiceClient {
  const { host, port } = parseAddress(address);
  const target = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new ConsoleServiceClient(target, channelCredentials({ caPem, identity: null }), {
    ...COMMON,
    'grpc.ssl_target_name_override': MASTER_TLS_NAME,
    'grpc.default_authority': MASTER_TLS_NAME,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_receive_message_length': MOST_CONSOLE_BYTES,
    'grpc.max_send_message_length': MOST_MESSAGE_BYTES,
  });
}

/** Joins: the secret goes over a channel whose CA was pinned before (`fetchPinnedCa`). */
export function enrol(
  client: AgentServiceClient,
  args: EnrolArgs,
  deadlineMs: number = DIAL_DEADLINE_MS,
): Promise<{ node: NodeName; chainDer: readonly Uint8Array[]; renewAfter: Millis }> {
  return new Promise((resolve, reject) => {
    client.enroll(
      encodeEnrol(args),
      new Metadata(),
      { deadline: Date.now() + deadlineMs },
      (error, reply) => {
        if (error) return reject(fromServiceError(error));
        try {
          resolve({
            node: w.nodeName(reply.node, 'node'),
            chainDer: w.bounded(reply.certificateChainDer, 8, 'certificate_chain_der'),
            renewAfter: w.millis(reply.renewAfter, 'renew_after'),
          });
        } catch (fault) {
          reject(fault);
        }
      },
    );
  });
}

export interface AgentStreamHooks {
  onMessage(down: DownEnvelope): void;
  /** The stream takes more again after `send` returned false. */
  onDrain(): void;
  /** Once, however it ended. */
  onClosed(error: AppError): void;
}

export interface AgentStream {
  /** False: full, wait for `onDrain` (the message itself is taken). */
  send(up: UpEnvelope): boolean;
  /** Ends the stream and the channel; `onClosed` is not called any more. */
  close(): void;
}

/** One conversation over one channel of its own. Messages of a newer master that this build does not know are passed over. */
export function openAgentStream(address: string, c: LinkCredentials, hooks: AgentStreamHooks): AgentStream {
  const client = dialMaster(address, c);
  const call = client.connect();
  let over = false;

  function end(error: AppError | null): void {
    if (over) return;
    over = true;
    call.cancel();
    client.close();
    if (error) hooks.onClosed(error);
  }

  call.on('data', (message: ConnectResponse) => {
    if (over) return;
    let down: DownEnvelope;
    try {
      down = decodeDown(message);
    } catch (error) {
      if (error instanceof AppError && error.code === 'unsupported') return;
      return end(fromServiceError(error));
    }
    hooks.onMessage(down);
  });
  call.on('drain', () => hooks.onDrain());
  call.on('error', (error) => end(fromServiceError(error)));
  call.on('end', () => end(new AppError('unavailable', 'the master ended the stream')));

  return {
    send(up) {
      if (over) return false;
      const message: ConnectRequest = encodeUp(up);
      return call.write(message);
    },
    close: () => end(null),
  };
}
