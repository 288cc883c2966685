/** The order is *worst first*; ties go to the higher TTFT95. */
export const VERDICTS = [
  'wrong',
  'unseen',
  'warning',
  'changing',
  'paused',
  'waiting',
  'aside',
  'well',
] as const;
/** What the symbol before a word says, over all axes and alerts. */
export type Verdict = (typeof VERDICTS)[number];

export interface Symbols {
  readonly verdict: Readonly<Record<Verdict, string>>;
  /** Eight heights, lowest first. */
  readonly spark: readonly string[];
  /** Full, three quarters, half, a quarter. */
  readonly bar: readonly string[];
  readonly cut: string;
  readonly rule: string;
  readonly times: string;
  readonly down: string;
  readonly up: string;
  /** The insertion point of a focused field. */
  readonly caret: string;
}

// No code point with an emoji form. All of them are ambiguous width or narrow: a terminal that draws them two cells
// wide gets the ASCII table.
export const UTF8_SYMBOLS: Symbols = {
  verdict: {
    wrong: '✗',
    unseen: '?',
    warning: '▲',
    changing: '»',
    paused: '‖',
    waiting: '·',
    aside: '○',
    well: '●',
  },
  spark: [...'▁▂▃▄▅▆▇█'],
  bar: [...'█▓▒░'],
  cut: '…',
  rule: '─',
  times: '×',
  down: '↓',
  up: '↑',
  caret: '▏',
};

export const ASCII_SYMBOLS: Symbols = {
  verdict: {
    wrong: 'X',
    unseen: '?',
    warning: '!',
    changing: '~',
    paused: '=',
    waiting: '.',
    aside: '-',
    well: 'o',
  },
  spark: [...'_.:-=+*#'],
  bar: [...'#=-.'],
  cut: '~',
  rule: '-',
  times: 'x',
  down: 'v',
  up: '^',
  caret: '_',
};
