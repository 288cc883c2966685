/** What the terminal can colour. `none`: NO_COLOR, attributes stay. `dumb`: no escape sequences in text at all. */
export type Depth = 'truecolor' | '256' | '16' | 'none' | 'dumb';
export type Background = 'dark' | 'light';
export type Env = Readonly<Record<string, string | undefined>>;

/** NO_COLOR, then COLORTERM, then TERM. Never asks chalk, whose level is about its own stdout. */
export function colourDepth(env: Env): Depth {
  const term = env['TERM'] ?? '';
  if (term === 'dumb' || term === '') return 'dumb';
  if ((env['NO_COLOR'] ?? '') !== '') return 'none';
  if (/^(truecolor|24bit)$/i.test(env['COLORTERM'] ?? '')) return 'truecolor';
  if (/-direct$|^(xterm-kitty|xterm-ghostty|alacritty|wezterm|foot)/.test(term)) return 'truecolor';
  if (/256/.test(term)) return '256';
  if (/^vt(100|220)|mono/.test(term)) return 'none';
  return '16';
}

/** `COLORFGBG` is `fg;bg` or `fg;default;bg`; 7 and 9-15 as a background are light. */
export function backgroundFromEnv(env: Env): Background | null {
  const bg = (env['COLORFGBG'] ?? '').split(';').at(-1) ?? '';
  if (!/^\d+$/.test(bg)) return null;
  const n = Number(bg);
  return n === 7 || (n >= 9 && n <= 15) ? 'light' : 'dark';
}

/** An OSC 11 answer as 16-bit channels: light when the luminance is above a half. */
export function backgroundFromRgb(rgb: readonly [number, number, number]): Background {
  const [r, g, b] = rgb;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 0xffff > 0.5 ? 'light' : 'dark';
}
