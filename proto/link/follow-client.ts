import type { ConsoleServiceClient, FollowLogsResponse } from '../gen/aicdn/v1/console.ts';
import { AppError } from '../vocab/errors.ts';
import { decodeLogLine } from './codec-common.ts';
import type { ConsoleApi } from './console-api.ts';
import { type ConsoleChannel, showing } from './console-channel.ts';
import { fromServiceError } from './error-map.ts';
import * as w from './wire.ts';

/**
 * Over when the master says so, when it is closed here, or when the connection is lost; on a connection of its own. A
 * token that is over before it begins is refreshed.
 */
export function followLogs(
  channel: ConsoleChannel,
  a: Parameters<ConsoleApi['followLogs']>[0],
  onLine: Parameters<ConsoleApi['followLogs']>[1],
  onEnd: Parameters<ConsoleApi['followLogs']>[2],
): { close(): void } {
  let over = false;
  let hangUp = (): void => {};
  const end = (reason: string): void => {
    if (over) return;
    over = true;
    hangUp();
    onEnd(reason);
  };

  function listen(client: ConsoleServiceClient, token: string | null, mayRenew: boolean): void {
    const request = { node: a.node, lines: w.whole(a.lines, 'lines'), maxMs: w.big(a.maxMs, 'max_ms') };
    const stream = client.followLogs(request, showing(token));
    let heard = false;
    /** Of this stream: an end may follow an error. */
    let done = false;
    hangUp = () => {
      stream.cancel();
      client.close();
    };
    stream.on('data', ({ body }: FollowLogsResponse) => {
      heard = true;
      if (over) return;
      try {
        if (body?.$case === 'line') onLine(decodeLogLine(body.value, 'line'));
        else if (body?.$case === 'ended') end(w.text(body.value, 'ended', w.LONGEST.line));
      } catch (fault) {
        end(fault instanceof Error ? fault.message : String(fault));
      }
    });
    stream.on('error', (error) => {
      if (done) return;
      done = true;
      const fault = channel.plainly(fromServiceError(error));
      if (over || heard || !mayRenew || token === null || fault.code !== 'unauthenticated') {
        end(fault.message);
        return;
      }
      hangUp();
      channel.renew(token, fault).then(() => begin(false), failed);
    });
    stream.on('end', () => {
      if (!done) end('the master ended the stream');
    });
  }

  function begin(mayRenew: boolean): void {
    const token = channel.tokens?.get()?.accessToken ?? null;
    channel.dial().then((client) => {
      if (over) client.close();
      else listen(client, token, mayRenew);
    }, failed);
  }

  function failed(error: unknown): void {
    end(error instanceof AppError ? error.message : String(error));
  }

  begin(true);
  return {
    close() {
      over = true;
      hangUp();
    },
  };
}
