import type { Sheet } from '../../store/sheet.ts';
import type { KeyHint } from '../../views/foot.ts';
import type { Ui } from '../../views/ui.ts';
import { clock, speak } from '../words.ts';

export type Pick2 = (en: string, zh: string) => string;

export function picker(ui: Ui): Pick2 {
  return (en, zh) => (ui.theme.lang === 'zh' ? zh : en);
}

/** `hk-1, hk-2 and 3 more` */
export function someOf(names: readonly string[], say: Pick2): string {
  const head = names.slice(0, 6).join(', ');
  const more = names.length - 6;
  return more > 0 ? say(`${head} and ${more} more`, `${head} 等 ${names.length} 台`) : head;
}

export function typedKeys(doing: string, say: Pick2, fields: boolean): readonly KeyHint[] {
  const keys: KeyHint[] = [{ key: 'Enter', label: say(`${doing}, once it matches`, `匹配后${doing}`) }];
  if (fields) keys.push({ key: 'Tab', label: say('next field', '下一栏') });
  keys.push({ key: 'Esc', label: say('cancel', '取消') });
  return keys;
}

/** What is wrong with it, in the screen's language. */
export function errorOf(sheet: Sheet, ui: Ui): string | null {
  return sheet.error === null ? null : speak(sheet.error, ui.theme);
}

/** Beside the title: sent, or how old the dry run is. */
export function dryRun(
  sheet: Sheet & { readonly askedAt: number; readonly preview: unknown },
  ui: Ui,
): string {
  const say = picker(ui);
  if (sheet.sending) return say('sent, waiting for the master', '已发送，等待主控');
  const at = clock(sheet.askedAt);
  return sheet.preview === null ? '' : say(`dry run ${at}, again every 5 s`, `试运行 ${at}，每 5 s 更新`);
}
