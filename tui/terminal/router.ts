// Raw bytes -> keys. Chunks mean nothing: several keys read at once are several keys, and a sequence or a character
// may be split anywhere. Only a pause (`escapeMs`) tells a lone Esc from the start of a sequence.

export interface Timers {
  /** Calls `fn` once after `ms`; the answer takes it back. */
  readonly start: (ms: number, fn: () => void) => () => void;
}

export const KEY_NAMES = [
  'up',
  'down',
  'left',
  'right',
  'home',
  'end',
  'pageup',
  'pagedown',
  'insert',
  'delete',
  'enter',
  'tab',
  'escape',
  'backspace',
] as const;
export type KeyName = (typeof KEY_NAMES)[number];

export type InputEvent =
  /** A character as typed (one code point; `name` is null) or a named key. */
  | {
      readonly kind: 'key';
      readonly name: KeyName | null;
      readonly char: string;
      readonly ctrl: boolean;
      readonly shift: boolean;
      /** Esc and a letter in one breath; no key of ours, but it must not act as the letter. */
      readonly alt: boolean;
    }
  /** A bracketed paste, whole; line ends are `\n`, other controls are gone. Never acts. */
  | { readonly kind: 'paste'; readonly text: string; readonly cut: boolean }
  /** What the terminal answered, without ESC: `[1;2R`, `]11;rgb:…`. For probes; everybody else ignores it. */
  | { readonly kind: 'reply'; readonly text: string };

export interface RouterSettings {
  /** How long a lone Esc waits for more. */
  readonly escapeMs: number;
  /** How long an unfinished paste waits before what there is counts. */
  readonly pasteMs: number;
}
export const ROUTER_SETTINGS: RouterSettings = { escapeMs: 40, pasteMs: 1000 };

const ESC = 0x1b;
const MAX_SEQUENCE = 256;
const MAX_STRING = 4096;
const MAX_PASTE = 64 * 1024;
const PASTE_START = '200~';
const PASTE_END = Buffer.from('\x1b[201~');

/** What the bytes at the front are: so many of them, with or without an event; or not all here yet. */
type Token = { readonly size: number; readonly event: InputEvent | 'paste' | null } | 'more';

export class Router {
  readonly #settings: RouterSettings;
  readonly #timers: Timers;
  readonly #emit: (e: InputEvent) => void;
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes of an open paste; `null`: none is open. */
  #paste: { readonly parts: Buffer[]; size: number; cut: boolean } | null = null;
  #stopTimer: (() => void) | null = null;

  constructor(
    settings: RouterSettings,
    needs: { readonly timers: Timers; readonly emit: (e: InputEvent) => void },
  ) {
    this.#settings = settings;
    this.#timers = needs.timers;
    this.#emit = needs.emit;
  }

  feed(chunk: Uint8Array): void {
    this.#disarm();
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    this.#drain();
    if (this.#paste !== null) this.#arm(this.#settings.pasteMs);
    else if (this.#pending[0] === ESC) this.#arm(this.#settings.escapeMs);
  }

  /** Nothing more will come for what is half here. waiting -> idle */
  flush(): void {
    this.#disarm();
    if (this.#paste !== null) {
      this.#keep(this.#pending);
      this.#pending = Buffer.alloc(0);
      this.#endPaste();
      return;
    }
    // A lone Esc is Esc; the start of something longer is nothing we can name.
    const lone = this.#pending.length === 1 && this.#pending[0] === ESC;
    this.#pending = Buffer.alloc(0);
    if (lone) this.#emit(named('escape'));
  }

  stop(): void {
    this.#disarm();
    this.#pending = Buffer.alloc(0);
    this.#paste = null;
  }

  #arm(ms: number): void {
    this.#stopTimer = this.#timers.start(ms, () => {
      this.#stopTimer = null;
      this.flush();
    });
  }

  #disarm(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
  }

  #drain(): void {
    for (;;) {
      if (this.#paste !== null && !this.#drainPaste()) return;
      if (this.#pending.length === 0) return;
      const t = nextToken(this.#pending);
      if (t === 'more') return;
      this.#pending = this.#pending.subarray(t.size);
      if (t.event === 'paste') this.#paste = { parts: [], size: 0, cut: false };
      else if (t.event !== null) this.#emit(t.event);
    }
  }

  /** Whether the paste ended. The last bytes may be the start of the end mark and stay pending. */
  #drainPaste(): boolean {
    const at = this.#pending.indexOf(PASTE_END);
    if (at < 0) {
      const take = Math.max(0, this.#pending.length - PASTE_END.length + 1);
      this.#keep(this.#pending.subarray(0, take));
      this.#pending = this.#pending.subarray(take);
      return false;
    }
    this.#keep(this.#pending.subarray(0, at));
    this.#pending = this.#pending.subarray(at + PASTE_END.length);
    this.#endPaste();
    return true;
  }

  #keep(bytes: Buffer): void {
    const p = this.#paste;
    if (p === null || bytes.length === 0) return;
    const room = MAX_PASTE - p.size;
    if (bytes.length > room) p.cut = true;
    const part = bytes.subarray(0, Math.max(0, room));
    p.parts.push(Buffer.from(part));
    p.size += part.length;
  }

  #endPaste(): void {
    const p = this.#paste;
    this.#paste = null;
    if (p === null) return;
    const text = Buffer.concat(p.parts)
      .toString('utf8')
      .replace(/\r\n?/g, '\n')
      .replace(/[^\P{Cc}\n\t]/gu, '');
    this.#emit({ kind: 'paste', text, cut: p.cut });
  }
}

function named(name: KeyName, mod: { ctrl?: boolean; shift?: boolean; alt?: boolean } = {}): InputEvent {
  return {
    kind: 'key',
    name,
    char: '',
    ctrl: mod.ctrl ?? false,
    shift: mod.shift ?? false,
    alt: mod.alt ?? false,
  };
}

function char(c: string, mod: { ctrl?: boolean; alt?: boolean } = {}): InputEvent {
  return { kind: 'key', name: null, char: c, ctrl: mod.ctrl ?? false, shift: false, alt: mod.alt ?? false };
}

function nextToken(b: Buffer): Token {
  const first = b[0] ?? 0;
  if (first === ESC) return escapeToken(b);
  if (first < 0x20 || first === 0x7f) return { size: 1, event: controlKey(first) };
  if (first < 0x80) return { size: 1, event: char(String.fromCharCode(first)) };
  return utf8Token(b, 0, {});
}

function controlKey(byte: number): InputEvent {
  if (byte === 0x0d) return named('enter');
  if (byte === 0x09) return named('tab');
  if (byte === 0x7f || byte === 0x08) return named('backspace');
  if (byte === 0) return char(' ', { ctrl: true });
  if (byte <= 0x1a) return char(String.fromCharCode(byte + 0x60), { ctrl: true });
  return char(String.fromCharCode(byte + 0x40), { ctrl: true });
}

/** A character of two to four bytes; a broken one is skipped, byte by byte. */
function utf8Token(b: Buffer, at: number, mod: { alt?: boolean }): Token {
  const lead = b[at] ?? 0;
  const size = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
  if (size === 1 || lead >= 0xf5) return { size: at + 1, event: null };
  for (let i = 1; i < size; i++) {
    const c = b[at + i];
    if (c === undefined) return 'more';
    if (c < 0x80 || c > 0xbf) return { size: at + i, event: null };
  }
  const text = b.toString('utf8', at, at + size);
  const seen = text.length > 0 && !text.includes('\ufffd') && !/\p{Cc}/u.test(text);
  return { size: at + size, event: seen ? char(text, mod) : null };
}

function escapeToken(b: Buffer): Token {
  const second = b[1];
  if (second === undefined) return 'more';
  switch (second) {
    case ESC:
      return { size: 1, event: named('escape') };
    case 0x5b: // [
      return csiToken(b);
    case 0x4f: // O
      return ss3Token(b);
    case 0x5d: // ]
    case 0x50: // P
    case 0x5e: // ^
    case 0x5f: // _
    case 0x58: // X
      return stringToken(b);
    default:
  }
  if (second < 0x20 || second === 0x7f) return { size: 2, event: withAlt(controlKey(second)) };
  if (second < 0x80) return { size: 2, event: char(String.fromCharCode(second), { alt: true }) };
  return utf8Token(b, 1, { alt: true });
}

function withAlt(e: InputEvent): InputEvent {
  return e.kind === 'key' ? { ...e, alt: true } : e;
}

/** ESC [ parameters intermediates final; anything else inside ends it without an event. */
function csiToken(b: Buffer): Token {
  // The Linux console's function keys are ESC [ [ A.
  if (b[2] === 0x5b) return b.length < 4 ? 'more' : { size: 4, event: null };
  for (let i = 2; i < b.length; i++) {
    const c = b[i] ?? 0;
    if (c >= 0x40 && c <= 0x7e) {
      // An X10 mouse report carries three bytes of anything after its final.
      if (c === 0x4d && i === 2) return b.length < 6 ? 'more' : { size: 6, event: null };
      return { size: i + 1, event: csiEvent(b.toString('latin1', 2, i), String.fromCharCode(c)) };
    }
    if (c < 0x20 || c > 0x3f || i >= MAX_SEQUENCE) return { size: i, event: null };
  }
  return 'more';
}

const CSI_FINAL: Readonly<Record<string, KeyName>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
};
const CSI_TILDE: Readonly<Record<string, KeyName>> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'pageup',
  6: 'pagedown',
  7: 'home',
  8: 'end',
};

function csiEvent(params: string, final: string): InputEvent | 'paste' | null {
  if (params + final === PASTE_START) return 'paste';
  if (final === 'R' || final === 'c' || final === 'n' || final === 'y')
    return { kind: 'reply', text: `[${params}${final}` };
  const [first = '', second = ''] = params.split(';');
  if (final === 'Z' && params === '') return named('tab', { shift: true });
  const name = final === '~' ? CSI_TILDE[first] : CSI_FINAL[final];
  if (name === undefined || !/^[0-9;]*$/.test(params)) return null;
  const bits = Math.max(0, Number(second || '1') - 1);
  return named(name, { shift: (bits & 1) !== 0, alt: (bits & 2) !== 0, ctrl: (bits & 4) !== 0 });
}

const SS3: Readonly<Record<string, KeyName>> = { ...CSI_FINAL, M: 'enter' };

function ss3Token(b: Buffer): Token {
  const c = b[2];
  if (c === undefined) return 'more';
  if (c < 0x20 || c > 0x7e) return { size: 2, event: null };
  const name = SS3[String.fromCharCode(c)];
  return { size: 3, event: name === undefined ? null : named(name) };
}

/** OSC, DCS, APC, PM, SOS up to BEL or ST. */
function stringToken(b: Buffer): Token {
  for (let i = 2; i < b.length; i++) {
    const c = b[i];
    if (c === 0x07) return { size: i + 1, event: reply(b, i) };
    if (c === ESC) {
      const next = b[i + 1];
      if (next === undefined) return 'more';
      // Any other ESC cancels the string and starts anew.
      return next === 0x5c ? { size: i + 2, event: reply(b, i) } : { size: i, event: null };
    }
    if (i >= MAX_STRING) return { size: i, event: null };
  }
  return 'more';
}

function reply(b: Buffer, end: number): InputEvent {
  return { kind: 'reply', text: b.toString('latin1', 1, end) };
}
