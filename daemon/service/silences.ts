import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName, SilenceId } from '../../proto/vocab/ids.ts';
import { formatMatcher, type Matcher } from '../../proto/vocab/matcher.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { type Silence, silenceMatches, silenceState } from '../../proto/vocab/silence.ts';
import { alertLabels, NODE_DOWN } from '../core/alert/node-down.ts';
import { checkMatchers, checkSilence, exactly, preview } from '../core/silence/draft.ts';
import { alertViews } from './alerts.ts';
import type { SilencesService as Api, Mutation } from './api.ts';
import type { Clock, Snapshot } from './ports.ts';
import { guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly clock: Clock;
}

export class SilencesService implements Api {
  private readonly needs: Needs;
  /** Since the last tick. */
  private readonly endedByHand = new Map<SilenceId, Millis>();

  constructor(needs: Needs) {
    this.needs = needs;
  }

  list(): readonly Silence[] {
    return this.needs.writer.view().list('silence');
  }

  preview(matchers: readonly Matcher[]): ReturnType<Api['preview']> {
    checkMatchers(matchers);
    const view = this.needs.writer.view();
    const live = alertViews(view.list('alert'), view.list('silence'), this.needs.clock.now()).filter(
      (a) => a.state !== 'resolved',
    );
    const { hit, missed } = preview(matchers, live);
    const all = view.list('node');
    const nodes: NodeName[] = all
      .filter((n) => silenceMatches({ matchers }, alertLabels(NODE_DOWN, n)))
      .map((n) => n.name);
    return {
      wouldSilence: hit,
      wouldNotSilence: missed,
      nodes,
      totalNodes: all.length,
      asksTwice: nodes.length * 2 > all.length && all.length > 1,
    };
  }

  async create(
    m: Mutation,
    args: Parameters<Api['create']>[1],
  ): Promise<{ revision: number; silence: Silence }> {
    const { writer } = this.needs;
    const { revision, result } = await writer.mutate<SilenceId>(
      m,
      'silence.create',
      args,
      (view, now) => {
        const matchers = args.alert === null ? args.matchers : matchersOf(view, args.alert);
        const startsAt = args.startsAt ?? now;
        checkSilence({ matchers, startsAt, endsAt: args.endsAt, comment: args.comment }, now);
        const id = nextId(view);
        const silence: Omit<Silence, 'modRevision'> = {
          id,
          matchers: matchers.map((x) => ({ ...x, value: safeText(x.value, { max: 256 }) })),
          startsAt,
          endsAt: args.endsAt,
          createdBy: m.caller.actor,
          createdAt: now,
          comment: safeText(args.comment, { max: 1000 }),
        };
        const text = `${id}: ${matchers.map(formatMatcher).join(' ')}`;
        return {
          ops: [
            { op: 'put', kind: 'silence', key: id, value: silence },
            { op: 'put', kind: 'meta', key: LAST_ID, value: { id: LAST_ID, value: Number(id.slice(2)) } },
          ],
          events: [{ kind: 'silence', who: m.caller.actor, subject: id, level: 'info', text }],
          result: id,
        };
      },
      (id) => id,
      (_view, id) => id as SilenceId,
    );
    return { revision, silence: must(writer.view(), result) };
  }

  /** Ends it now; one that has not begun never begins. */
  async expire(m: Mutation, id: SilenceId): Promise<{ revision: number; silence: Silence }> {
    const { writer } = this.needs;
    const { revision } = await writer.mutate<SilenceId>(
      m,
      'silence.expire',
      { id },
      (view, now) => {
        const silence = must(view, id);
        guardRevision(m, id, silence.modRevision);
        if (silenceState(silence, now) === 'expired') {
          throw new AppError('precondition', `${id} is over since ${new Date(silence.endsAt).toISOString()}`);
        }
        const startsAt = Math.min(silence.startsAt, now);
        this.endedByHand.set(id, now);
        return {
          ops: [{ op: 'put', kind: 'silence', key: id, value: { ...silence, startsAt, endsAt: now } }],
          events: [
            { kind: 'silence', who: m.caller.actor, subject: id, level: 'info', text: `${id} ended early` },
          ],
          result: id,
        };
      },
      (x) => x,
      (_view, x) => x as SilenceId,
    );
    return { revision, silence: must(writer.view(), id) };
  }

  /** Silences begin and end by time alone; consoles learn of it by the event's commit. */
  tick(lastTick: Millis, now: Millis): Promise<unknown> {
    const passed = (at: Millis): boolean => at > lastTick && at <= now;
    const turned = this.list().filter((s) => {
      // Begun by its making, ended by hand: that was said then.
      const begun = passed(s.startsAt) && s.startsAt > s.createdAt && s.endsAt > now;
      return begun || (passed(s.endsAt) && s.endsAt !== this.endedByHand.get(s.id));
    });
    for (const [id, at] of this.endedByHand) if (at <= lastTick) this.endedByHand.delete(id);
    if (turned.length === 0) return Promise.resolve(null);
    return this.needs.writer.write('master', 'tick', () => ({
      ops: [],
      events: turned.map((s) => ({
        kind: 'silence',
        who: 'master',
        subject: s.id,
        level: 'info',
        text: `${s.id} is ${silenceState(s, now)}`,
      })),
      result: null,
    }));
  }
}

/** Highest number given: ids are never used twice, even when old silences are gone. */
const LAST_ID = 'last_silence_id';

function nextId(view: Snapshot): SilenceId {
  return `S-${Number(view.get('meta', LAST_ID)?.value ?? 0) + 1}` as SilenceId;
}

function matchersOf(view: Snapshot, alert: string): readonly Matcher[] {
  const found = view.get('alert', alert);
  if (!found) throw new AppError('not_found', `there is no alert ${safeText(alert, { max: 64 })}`);
  return exactly(found.labels);
}

function must(view: Snapshot, id: string): Silence {
  const silence = view.get('silence', id);
  if (!silence) throw new AppError('not_found', `there is no silence ${safeText(id, { max: 64 })}`);
  return silence;
}
