import cluster, { type Worker as Child } from 'node:cluster';
import { AppError } from '../../../../proto/vocab/errors.ts';
import type { Left, WorkerFacts } from './messages.ts';

const HELLO_MS = 20_000;

export type Role = 'data' | 'control';

/** A process of the engine, as its primary knows it. */
export interface Member {
  readonly id: number;
  readonly child: Child;
  readonly role: Role;
  readonly exec: string;
  readonly bornAt: number;
  /** Replaced when it dies. */
  wanted: boolean;
  version: string | null;
  /** One of an earlier release does not answer a ping. */
  pings: boolean;
  retireBy: number | null;
  /** As it said last; unread. */
  figures: Left['figures'];
  /** Killed, because it did not answer any more. */
  hung: boolean;
  /** It was told its role, or waits for its turn. */
  at: 'starting' | 'standby' | 'working';
  readonly hello: PromiseWithResolvers<WorkerFacts>;
}

/** Killed when it does not say hello; `say` is told what is wrong with it. */
export function fork(
  as: Pick<Member, 'role' | 'exec' | 'wanted' | 'bornAt'>,
  say: (text: string) => void,
): Member {
  cluster.setupPrimary({ exec: as.exec, args: [] });
  const child = cluster.fork();
  const hello = Promise.withResolvers<WorkerFacts>();
  hello.promise.catch(() => undefined);
  const member: Member = {
    ...as,
    ...{ id: child.id, child, at: 'starting', hello },
    ...{ version: null, pings: false, retireBy: null, figures: [], hung: false },
  };
  child.on('error', (e) => say(`worker ${child.process.pid ?? 'unborn'}: ${e.message}`));
  const late = setTimeout(() => {
    if (member.at !== 'starting') return;
    hello.reject(new AppError('timeout', 'it did not answer'));
    child.process.kill('SIGKILL');
  }, HELLO_MS);
  late.unref();
  return member;
}

export function factsOf({ id, child, version, retireBy }: Member): WorkerFacts {
  return { id, pid: child.process.pid ?? 0, version: version ?? '', retireBy };
}
