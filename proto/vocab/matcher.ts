/** `node = hk-05`, `region =~ "hk|sg"`; Alertmanager's four forms. Regexes are anchored at both ends. */
export interface Matcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual: boolean;
}

/** A missing label matches as the empty string. Compile once, match many. */
export function compileMatcher(m: Matcher): (labels: Readonly<Record<string, string>>) => boolean {
  const re = m.isRegex ? new RegExp(`^(?:${m.value})$`, 'u') : null;
  return (labels) => {
    const v = Object.hasOwn(labels, m.name) ? (labels[m.name] ?? '') : '';
    const hit = re ? re.test(v) : v === m.value;
    return hit === m.isEqual;
  };
}

export function formatMatcher(m: Matcher): string {
  const op = m.isEqual ? (m.isRegex ? '=~' : '=') : m.isRegex ? '!~' : '!=';
  return m.isRegex ? `${m.name}${op}"${m.value}"` : `${m.name}${op}${m.value}`;
}
