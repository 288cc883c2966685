/** A phrase in both of the console's languages. Outside text in it is made safe where it is drawn. */
export interface Words {
  readonly en: string;
  readonly zh: string;
}

export function words(en: string, zh: string): Words {
  return { en, zh };
}

/** Names, labels, an error's own text: the same in every language. */
export function asIs(text: string): Words {
  return { en: text, zh: text };
}
