import type { ServerWritableStream } from '@grpc/grpc-js';
import type { FollowLogsRequest, FollowLogsResponse } from '../../../proto/gen/aicdn/v1/console.ts';
import { encodeLogLine } from '../../../proto/link/codec-common.ts';
import * as w from '../../../proto/link/wire.ts';
import type { Caller } from '../../../proto/vocab/can.ts';
import type { CommandsService, LogSink } from '../../service/api.ts';

export type FollowCall = ServerWritableStream<FollowLogsRequest, FollowLogsResponse>;

/** Bytes that may wait for a slow reader; the lines a node has already come all at once. */
const MOST_WAITING_BYTES = 2 * 1024 * 1024;

/**
 * One reader of a node's log. Who does not read is dropped, in words, and never waited for.
 * @returns ends it, in words
 * @throws AppError before anything is sent
 */
export function followLogs(
  call: FollowCall,
  caller: Caller,
  commands: CommandsService,
): (reason: string) => void {
  const { node, lines, maxMs } = call.request;
  let waiting = 0;
  let over = false;
  const sink: LogSink = {
    line(l) {
      if (over) return true;
      const size = l.text.length + 32;
      waiting += size;
      call.write({ body: { $case: 'line', value: encodeLogLine(l) } }, () => {
        waiting -= size;
      });
      return waiting <= MOST_WAITING_BYTES;
    },
    end(reason) {
      if (over) return;
      over = true;
      call.write({ body: { $case: 'ended', value: w.head(reason, w.LONGEST.line) } });
      call.end();
    },
  };
  const follow = commands.followLogs(
    caller,
    { node: w.required(node, 'node'), lines, maxMs: w.int(maxMs, 'max_ms') },
    sink,
  );
  const gone = (): void => {
    over = true;
    follow.close();
  };
  call.on('cancelled', gone);
  call.on('error', gone);
  call.on('close', gone);
  return (reason) => {
    sink.end(reason);
    follow.close();
  };
}
