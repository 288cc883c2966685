import type { Millis } from '../../proto/vocab/ids.ts';
import type { Words } from '../store/words.ts';
import type { Theme } from '../theme/theme.ts';

/** A phrase in the screen's language. */
export function speak(text: Words, theme: Theme): string {
  return text[theme.lang];
}

const two = (n: number) => String(n).padStart(2, '0');

/** `HH:MM:SS`, local. */
export function clock(at: Millis): string {
  const d = new Date(at);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** `HH:MM`, local. */
export function hourMinute(at: Millis): string {
  return clock(at).slice(0, 5);
}

const DAYS: Readonly<Record<Theme['lang'], readonly string[]>> = {
  en: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'],
  zh: ['周日', '周一', '周二', '周三', '周四', '周五', '周六'],
};

/** `Tue 04:12 +08` */
export function dayAndZone(at: Millis, theme: Theme): string {
  const d = new Date(at);
  const minutes = -d.getTimezoneOffset();
  const sign = minutes < 0 ? '-' : '+';
  const abs = Math.abs(minutes);
  const zone = `${sign}${two(Math.floor(abs / 60))}${abs % 60 === 0 ? '' : `:${two(abs % 60)}`}`;
  return `${DAYS[theme.lang][d.getDay()] ?? ''} ${hourMinute(at)} ${zone}`;
}

/** `Sat 22:10` */
export function dayAndTime(at: Millis, theme: Theme): string {
  return `${DAYS[theme.lang][new Date(at).getDay()] ?? ''} ${hourMinute(at)}`;
}

/** The same within a sentence of the master's. */
export function persons(text: string): string {
  return text.replace(/\b([\w.@-]+)\(\d+\)/g, '$1');
}

/** `lin(1000)` is the master's word for the audit; here the person is enough. */
export function person(actor: string): string {
  return actor.replace(/\(\d+\)$/, '');
}
