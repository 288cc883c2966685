import { formatDuration } from '../../proto/vocab/duration.ts';
import type { WordKey } from '../theme/messages.ts';
import { BLANK, type Row, row, type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { padTo, width } from '../theme/width.ts';
import type { AxisRow, DescribeProps } from './describe.ts';
import { describeSeries } from './describe-series.ts';
import { type Place, place } from './table.ts';
import { type Ui, WIDE } from './ui.ts';
import { verdictSeg } from './verdict.ts';

const DAY = 86_400_000;

/** All of it, top to bottom; the screen shows a window. */
export function describeBody(p: DescribeProps, ui: Ui): readonly Row[] {
  const gap = ui.width >= WIDE ? [BLANK] : [];
  return [
    ...factRows(p, ui),
    ...failureRows(p, ui),
    ...gap,
    ...describeSeries(p, ui),
    ...gap,
    ...alertRows(p, ui),
    ...commandRows(p, ui),
    ...logRows(p, ui),
  ];
}

/**
 * Over 7 days well, over one a warning, below it wrong. One that renews itself lives 7 days in all: it is well until
 * its last day, or every agent would carry a warning for ever.
 */
function certVerdict(c: DescribeProps['certificates'][number]): Verdict {
  if (c.leftMs < DAY) return 'wrong';
  return c.leftMs < 7 * DAY && c.note === undefined ? 'warning' : 'well';
}

const AXIS_WORDS: Readonly<Record<string, WordKey>> = {
  initializing: 'status.initializing',
  ready: 'status.ready',
  disconnected: 'status.disconnected',
  down: 'status.down',
  unknown: 'status.unknown',
  eligible: 'axis.eligible',
  ineligible: 'axis.ineligible',
  none: 'axis.none',
  draining: 'axis.draining',
  drained: 'axis.drained',
  in_sync: 'axis.in_sync',
  out_of_sync: 'axis.out_of_sync',
  applying: 'axis.applying',
  failed: 'axis.failed',
  drifted: 'axis.drifted',
  pending: 'axis.pending',
  accepted: 'axis.accepted',
  revoked: 'axis.revoked',
};

/** In another language the vocabulary's word stands beside the translation: `就绪 ready`. */
function axisWord(a: AxisRow, ui: Ui): string {
  const key = AXIS_WORDS[a.word];
  const word = ui.theme.text(a.word);
  const said = key === undefined || ui.theme.lang === 'en' ? word : `${ui.theme.say(key)} ${word}`;
  return a.extra === undefined ? said : `${said} ${ui.theme.text(a.extra)}`;
}

function engineLines(p: DescribeProps, ui: Ui): readonly string[] {
  const { say, text } = ui.theme;
  const e = p.engine;
  if (e === null) return [say('describe.noengine'), say('describe.agent', { version: text(p.agentVersion) })];
  const up = e.upMs === null ? '' : `   ${say('peek.up', { age: formatDuration(e.upMs) })}`;
  const pid = ui.width >= WIDE ? `   pid ${e.pid}` : '';
  const listens = e.listeners
    .map((l) => `${text(l.addr)} ${text(l.type)}`)
    .join(ui.width >= WIDE ? '   ' : '  ');
  return [
    `${text(e.kind)} ${text(e.version)}${pid}${up}`,
    say('describe.why', { why: text(e.reason) }),
    say('describe.generation', { n: e.generation, version: text(p.agentVersion) }),
    say('describe.listens', { what: listens === '' ? '-' : listens }),
  ];
}

/** Axes, engine and certificates: side by side where there is room, else certificates as one line. */
function factRows(p: DescribeProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const wide = ui.width >= WIDE;
  const engine = [...engineLines(p, ui)];
  if (!wide) {
    const certs = p.certificates.map((c) => `${text(c.name)} ${Math.floor(c.leftMs / DAY)}d`).join('  ');
    engine.splice(3, 0, say('describe.certs', { what: certs === '' ? '-' : certs }));
  }
  const name: Place = wide ? { x: 2, width: 14 } : { x: 2, width: 12 };
  const state: Place = wide ? { x: 16, width: 17 } : { x: 14, width: 21 };
  const facts: Place = wide ? { x: 34, width: 46 } : { x: 36, width: ui.width - 36 };
  const cert: Place = wide ? { x: 81, width: ui.width - 81 } : { x: 0, width: 0 };
  const out: Row[] = [];
  if (wide) {
    const head = (x: number, w: number, key: WordKey) => [{ x, width: w }, seg(say(key), 'strong')] as const;
    out.push({
      segs: place(
        [
          head(1, 30, 'describe.axes'),
          head(33, 46, 'describe.engine'),
          head(80, 38, 'describe.certificates'),
        ],
        ui,
      ),
    });
  }
  const height = Math.max(p.axes.length, engine.length, wide ? p.certificates.length : 0);
  for (let y = 0; y < height; y++) {
    const a = p.axes[y];
    const c = p.certificates[y];
    out.push({
      segs: place(
        [
          [name, seg(a === undefined ? '' : say(`axisname.${a.axis}`), 'quiet')],
          [state, a === undefined ? seg('') : [verdictSeg(a.verdict, ui), seg(` ${axisWord(a, ui)}`)]],
          [facts, seg(engine[y] ?? '')],
          [cert, c === undefined ? seg('') : certSegs(c, ui)],
        ],
        ui,
      ),
    });
  }
  return out;
}

function certSegs(c: DescribeProps['certificates'][number], ui: Ui): readonly Seg[] {
  const note = c.note === undefined ? '' : `   ${ui.theme.text(c.note)}`;
  return [
    seg(padTo(ui.theme.text(c.name), 10)),
    verdictSeg(certVerdict(c), ui),
    seg(` ${formatDuration(Math.max(0, c.leftMs))}${note}`),
  ];
}

/** The refusal, whole: wrapped, never cut, for it is what you came for. */
function failureRows(p: DescribeProps, ui: Ui): readonly Row[] {
  if (p.failure.length === 0) return [];
  const { say, text } = ui.theme;
  const out: Row[] = [
    row(' ', verdictSeg('wrong', ui), seg(` ${say('describe.refused')}`, 'crit', { bold: true })),
  ];
  p.failure.forEach((line, i) => {
    for (const part of wrapped(text(line), ui.width - 4))
      out.push(row(seg(`   ${part}`, i === 0 ? 'text' : 'quiet')));
  });
  return out;
}

/** Broken at spaces, a word longer than the row inside it. */
export function wrapped(line: string, cells: number): readonly string[] {
  const out: string[] = [];
  let now = '';
  for (const word of line.split(' ')) {
    let rest = word;
    if (now !== '' && width(now) + 1 + width(rest) <= cells) {
      now += ` ${rest}`;
      continue;
    }
    if (now !== '') out.push(now);
    while (width(rest) > cells) {
      const head = padTo(rest, cells).trimEnd();
      out.push(head);
      rest = rest.slice(head.length);
    }
    now = rest;
  }
  out.push(now);
  return out;
}

function alertRows(p: DescribeProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const title = p.firing > 0 ? say('describe.alerts.firing', { n: p.firing }) : say('describe.alerts');
  const out: Row[] = [row(' ', seg(title, 'strong'))];
  if (p.alerts.length === 0) out.push(row(seg(`  ${say('describe.alerts.none')}`, 'quiet')));
  for (const a of p.alerts) {
    const age = formatDuration(a.forMs);
    const words =
      ui.width >= WIDE
        ? `${padTo(text(a.rule), 16)} ${text(a.state)} ${age}   ${text(a.text)}`
        : `${padTo(text(a.rule), 15)} ${age}  ${text(a.text)}`;
    out.push(
      a.quiet
        ? row(seg(`  ${ui.theme.sym.verdict[a.verdict]} ${words}`, 'quiet'))
        : row('  ', verdictSeg(a.verdict, ui), ` ${words}`),
    );
  }
  return out;
}

function commandRows(p: DescribeProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const wide = ui.width >= WIDE;
  const out: Row[] = [row(' ', seg(say('describe.commands'), 'strong'))];
  if (p.commands.length === 0) out.push(row(seg(`  ${say('describe.commands.none')}`, 'quiet')));
  const [what, who, state, took] = wide ? [13, 6, 13, 8] : [12, 5, 13, 7];
  for (const c of p.commands) {
    const ms = c.tookMs === null ? '-' : `${(c.tookMs / 1000).toFixed(1)} s`;
    out.push({
      segs: place(
        [
          [{ x: 2, width: 9 }, seg(text(c.at), 'quiet')],
          [{ x: 12, width: what - 1 }, seg(text(c.what))],
          [{ x: 12 + what, width: who - 1 }, seg(text(c.who))],
          [{ x: 12 + what + who, width: state - 1 }, [verdictSeg(c.verdict, ui), seg(` ${text(c.word)}`)]],
          [{ x: 12 + what + who + state, width: took - 1 }, seg(ms)],
          [
            { x: 12 + what + who + state + took, width: ui.width - 12 - what - who - state - took },
            seg(text(c.text)),
          ],
        ],
        ui,
      ),
    });
  }
  return out;
}

function logRows(p: DescribeProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const out: Row[] = [row(' ', seg(say('describe.log'), 'strong'))];
  if (p.log === null) return [...out, row(seg(`  ${say('describe.log.asking')}`, 'quiet'))];
  if (p.log.length === 0) return [...out, row(seg(`  ${say('describe.log.none')}`, 'quiet'))];
  for (const l of p.log) {
    const token = l.level === 'error' ? 'crit' : l.level === 'warn' ? 'warn' : 'quiet';
    out.push(row(seg(`  ${text(l.at)} `, 'quiet'), seg(padTo(text(l.level), 6), token), text(l.text)));
  }
  return out;
}
