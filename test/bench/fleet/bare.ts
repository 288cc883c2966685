// gRPC alone: the same service over mutual TLS that welcomes agents, takes what they say and does nothing with it.
// Takes a file of JSON {cert, key, ca, heartbeatMs}; prints its port; `push` on stdin sends everybody one config of 20 KB,
// packed once. Ends with its stdin.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Server, ServerCredentials, type ServerDuplexStream, type UntypedHandleCall } from '@grpc/grpc-js';
import {
  AgentServiceService,
  type ConnectRequest,
  ConnectResponse,
} from '../../../proto/gen/aicdn/v1/agent.ts';
import { encodeDown } from '../../../proto/link/codec-down.ts';
import type { AgentDown } from '../../../proto/vocab/agent-link.ts';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { HASH } from '../../fakes/services.ts';
import { bodyOf } from './documents.ts';

interface Given {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly heartbeatMs: number;
}
const given = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Given;
const NONCE = '00112233445566778899aabbccddeeff';
const packed = (body: AgentDown): Buffer =>
  Buffer.from(ConnectResponse.encode(encodeDown({ nonce: NONCE, leaderEpoch: 1, body })).finish());
const welcome = packed({
  kind: 'welcome',
  node: 'bare' as NodeName,
  masterVersion: '0',
  now: Date.now(),
  storeId: 'bare',
});
const { heartbeatMs } = given;
const offers = packed({ kind: 'offers', heartbeatMs, reportMs: heartbeatMs, chainDer: null });
const calls = new Set<ServerDuplexStream<ConnectRequest, Buffer>>();

const server = new Server({ 'grpc.keepalive_time_ms': 60_000, 'grpc.keepalive_timeout_ms': 30_000 });
server.addService(
  {
    ...AgentServiceService,
    connect: { ...AgentServiceService.connect, responseSerialize: (b: unknown) => b as Buffer },
  },
  {
    enroll: (() => undefined) as UntypedHandleCall,
    connect: ((call: ServerDuplexStream<ConnectRequest, Buffer>) => {
      calls.add(call);
      call.write(welcome);
      call.on('data', (m: ConnectRequest) => {
        if (m.body?.$case === 'hello') call.write(offers);
      });
      call.on('end', () => call.end());
      call.on('cancelled', () => calls.delete(call));
      call.on('error', () => calls.delete(call));
    }) as UntypedHandleCall,
  },
);
const credentials = ServerCredentials.createSsl(
  Buffer.from(given.ca),
  [{ cert_chain: Buffer.from(given.cert), private_key: Buffer.from(given.key) }],
  true,
);
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
let revision = 1;
createInterface(process.stdin)
  .on('line', () => {
    revision += 1;
    const body = Buffer.from(bodyOf(`bare ${revision}`));
    const version = `bare-${revision}` as never;
    const config = packed({
      ...{ kind: 'remote_config', hash: HASH, version, revision, body, sealed: [], retry: 0 },
      commit: { id: '0123456789abcdef', rollbackMs: 120_000 },
    });
    for (const call of calls) call.write(config);
  })
  .on('close', () => process.exit(0));
