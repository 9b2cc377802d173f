/** Groups of words that mean the same, as a form asks for them. Pure. */

export interface Group {
  /** `same`: each phrase finds all others. `finds`: the left ones also find the right ones. */
  kind: 'same' | 'finds';
  /** Phrases separated by commas. */
  left: string;
  /** Phrases separated by commas; of `finds` only. */
  right: string;
}

export const EMPTY: Group = { kind: 'same', left: '', right: '' };

/** The form of a stored group such as `soda, pop` or `tv => television`. */
export function groupOf(text: string): Group {
  const arrow = text.indexOf('=>');
  if (arrow < 0) return { kind: 'same', left: text.trim(), right: '' };
  return { kind: 'finds', left: text.slice(0, arrow).trim(), right: text.slice(arrow + 2).trim() };
}

/** The group that the API stores. */
export function textOf({ kind, left, right }: Group): string {
  return kind === 'same' ? left.trim() : `${left.trim()} => ${right.trim()}`;
}

/** `soda, pop mean the same`: a stored group as a sentence. */
export function describeGroup(text: string): string {
  const { kind, left, right } = groupOf(text);
  return kind === 'same' ? `${left} mean the same` : `${left} also finds ${right}`;
}
