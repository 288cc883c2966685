import type { CommandType } from '../../proto/vocab/command.ts';
import type { Target } from '../../proto/vocab/config-version.ts';
import type { Effect } from '../store/effect.ts';
import type { OrderWord } from '../store/sheets/order.ts';
import { RELOAD_PARALLEL, RELOAD_TIMEOUT_MS } from '../store/sheets/reload.ts';
import { words } from '../store/words.ts';
import { publishing } from './act-publish.ts';
import { rollouts } from './act-rollouts.ts';
import { type ActNeeds, ask, type Executor, failureOf, mutation } from './ask.ts';

type Executors = { readonly [K in Effect['kind']]: Executor<K> };

const ORDERS_ZH: Readonly<Record<OrderWord, string>> = {
  restart: '重启',
  drain: '排空',
  undrain: '结束排空',
};

/** As the master's defaults have it. */
function order(type: CommandType, target: Target) {
  return {
    type,
    target,
    timeoutMs: null,
    expiresMs: null,
    dryRun: false,
    maxParallel: null,
    options: {},
  };
}

const FIRST_REGION = 'hk';

const EXECUTORS: Executors = {
  ...publishing,
  ...rollouts,
  reload: (e, needs) =>
    ask(
      needs,
      words('reload', '重载'),
      null,
      needs.api.runCommand(mutation('from the console'), {
        ...order('reload', e.target),
        ...(e.paced ? { maxParallel: RELOAD_PARALLEL, timeoutMs: RELOAD_TIMEOUT_MS } : {}),
      }),
      (r) => ({ kind: 'command-taken', command: r.command.id }),
    ),
  'preview-reload': (e, needs) =>
    ask(
      needs,
      words('preview', '预览'),
      e.sheet,
      needs.api.runCommand(mutation(''), { ...order('reload', e.target), dryRun: true }),
      (r) => ({
        kind: 'reload-preview',
        sheet: e.sheet,
        preview: { nodes: r.nodes, offline: r.offline },
      }),
    ),
  order: (e, needs) =>
    ask(
      needs,
      words(e.type, ORDERS_ZH[e.type]),
      null,
      needs.api.runCommand(mutation('from the console'), order(e.type, e.target)),
      (r) => ({ kind: 'command-taken', command: r.command.id }),
    ),
  'preview-silence': (e, needs) =>
    ask(needs, words('preview', '预览'), e.sheet, needs.api.previewSilence(e.matchers), (preview) => ({
      kind: 'silence-preview',
      sheet: e.sheet,
      preview,
    })),
  'create-silence': (e, needs) =>
    ask(
      needs,
      words('silence', '静默'),
      e.sheet,
      needs.api.createSilence(mutation(e.comment), {
        matchers: e.alert === null ? e.matchers : [],
        alert: e.alert,
        startsAt: null,
        endsAt: needs.now() + e.forMs,
        comment: e.comment,
      }),
      (r) => ({
        kind: 'done',
        sheet: e.sheet,
        text: words(
          `silence ${r.silence.id} is made; 4 Tab e ends it`,
          `静默 ${r.silence.id} 已建立；4 Tab e 可结束`,
        ),
      }),
    ),
  'expire-silence': (e, needs) =>
    ask(
      needs,
      words(`end ${e.id}`, `结束 ${e.id}`),
      e.sheet,
      needs.api.expireSilence(mutation('ended from the console'), e.id),
      (r) => ({
        kind: 'done',
        sheet: e.sheet,
        text: words(`silence ${r.silence.id} has ended`, `静默 ${r.silence.id} 已结束`),
      }),
    ),
  'fetch-regions': (e, needs) => {
    const { window, places, windowMs, stepMs } = e;
    needs.api.regionSeries({ places, windowMs, stepMs }).then(
      (series) => needs.dispatch({ kind: 'region-series', window, series }),
      (error: unknown) =>
        needs.dispatch({
          kind: 'failed',
          sheet: null,
          what: words('what was in the regions', '区域历史'),
          failure: failureOf(error),
        }),
    );
  },
  'fetch-node': (e, needs) => {
    needs.api.nodeDetail(e.name).then(
      (detail) => needs.dispatch({ kind: 'detail', name: e.name, detail }),
      (error: unknown) => needs.dispatch({ kind: 'detail-failed', name: e.name, failure: failureOf(error) }),
    );
  },
  'make-token': (_, needs) => {
    needs.api
      .createToken(mutation('first run'), {
        nodeType: 'edge',
        region: FIRST_REGION,
        name: null,
        ttlMs: null,
        replace: false,
      })
      .then(
        (t) =>
          needs.dispatch({
            kind: 'token',
            command: t.joinCommand,
            expiresAt: t.expiresAt,
            region: FIRST_REGION,
          }),
        (error: unknown) => needs.dispatch({ kind: 'token-failed', failure: failureOf(error) }),
      );
  },
  resubscribe: (_, needs) => needs.resubscribe(),
  quit: (_, needs) => needs.quit(),
};

/** Does what the store wants done. Never throws: every failure comes back as an event. */
export function perform(effect: Effect, needs: ActNeeds): void {
  // One executor a kind; the table's type says that they fit.
  const run = EXECUTORS[effect.kind] as (effect: Effect, needs: ActNeeds) => void;
  run(effect, needs);
}
