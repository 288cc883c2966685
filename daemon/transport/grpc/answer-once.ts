import { AppError } from '../../../proto/vocab/errors.ts';
import type { RpcCall } from './rpc-call.ts';

/** A call of one message and one answer. @param answer what it throws is said to the peer, as a status */
export function answerOnce(call: RpcCall, answer: (request: Buffer) => Promise<Uint8Array>): void {
  let asked = false;
  const reply = async (request: Buffer): Promise<void> => {
    call.write(Buffer.from(await answer(request)));
    call.end();
  };
  call.listen({
    message(request) {
      if (asked) return call.fail(new AppError('invalid', 'one request is one message'));
      asked = true;
      reply(request).catch((error: unknown) => call.fail(error));
    },
    ended() {
      if (!asked) call.fail(new AppError('invalid', 'the request has no message'));
    },
    drain() {},
    gone() {},
  });
}
