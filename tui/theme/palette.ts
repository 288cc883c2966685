import { Chalk, type ChalkInstance } from 'chalk';
import type { Background, Depth } from './depth.ts';

export type Token =
  | 'ok'
  | 'change'
  | 'warn'
  | 'crit'
  | 'quiet'
  | 'stale'
  | 'text'
  | 'strong'
  /** Column heads. */
  | 'head';

/** How one token opens and closes; both empty where the terminal can show nothing. */
export interface Ink {
  readonly open: string;
  readonly close: string;
}

export interface Palette {
  readonly token: Readonly<Record<Token, Ink>>;
  readonly bold: Ink;
  /** You: cursor row, open tab, focused field. Over the cell's own colour, never a hue of its own. */
  readonly accent: Ink;
}

type Hue = 'ok' | 'change' | 'warn' | 'crit' | 'quiet' | 'stale';

// Contrast >= 4.6 on the usual backgrounds; nearest two state hues stay CIEDE2000 12 apart for the colour-blind.
const HUES: Readonly<
  Record<Hue, Readonly<Record<Background, { readonly hex: string; readonly c256: number }>>>
> = {
  ok: { dark: { hex: '#56B4E9', c256: 75 }, light: { hex: '#005FAF', c256: 25 } },
  change: { dark: { hex: '#CC85A4', c256: 175 }, light: { hex: '#87005F', c256: 89 } },
  warn: { dark: { hex: '#F2CA00', c256: 220 }, light: { hex: '#875F00', c256: 94 } },
  crit: { dark: { hex: '#FF6A3D', c256: 202 }, light: { hex: '#870000', c256: 88 } },
  quiet: { dark: { hex: '#A3A3A3', c256: 248 }, light: { hex: '#5A5A5A', c256: 240 } },
  stale: { dark: { hex: '#949494', c256: 246 }, light: { hex: '#6C6C6C', c256: 242 } },
};

// No bright black in 16 colours: Solarized paints it as the background.
function hue16(c: ChalkInstance, hue: Hue, bg: Background): ChalkInstance | null {
  const dark = bg === 'dark';
  switch (hue) {
    case 'ok':
      return dark ? c.cyan : c.blue;
    case 'change':
      return c.magenta;
    case 'warn':
      return dark ? c.bold.yellow : c.bold;
    case 'crit':
      return dark ? c.bold.redBright : c.bold.red;
    case 'quiet':
      return null;
    case 'stale':
      return c.dim;
  }
}

function hue(c: ChalkInstance, depth: Depth, name: Hue, bg: Background): ChalkInstance | null {
  const v = HUES[name][bg];
  switch (depth) {
    case 'truecolor':
      return c.hex(v.hex);
    case '256':
      return c.ansi256(v.c256);
    case '16':
      return hue16(c, name, bg);
    case 'none':
      if (name === 'warn' || name === 'crit') return c.bold;
      return name === 'stale' ? c.dim : null;
    case 'dumb':
      return null;
  }
}

const NOTHING: Ink = { open: '', close: '' };

function ink(style: ChalkInstance | null): Ink {
  if (style === null) return NOTHING;
  const [open = '', close = ''] = style('\0').split('\0');
  return { open, close };
}

/** The level is ours, set from the depth: chalk's own detection, and its idea of NO_COLOR, never apply. */
export function palette(depth: Depth, background: Background): Palette {
  const c = new Chalk({ level: depth === 'truecolor' ? 3 : depth === '256' ? 2 : depth === 'dumb' ? 0 : 1 });
  const of = (name: Hue) => hue(c, depth, name, background);
  const attr = (style: ChalkInstance) => (depth === 'dumb' ? NOTHING : ink(style));
  return {
    token: {
      ok: ink(of('ok')),
      change: ink(of('change')),
      warn: ink(of('warn')),
      crit: ink(of('crit')),
      quiet: ink(of('quiet')),
      stale: ink(of('stale')),
      text: NOTHING,
      strong: attr(c.bold),
      head: attr((of('quiet') ?? c).underline),
    },
    bold: attr(c.bold),
    accent: attr(c.inverse),
  };
}
