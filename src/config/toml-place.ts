const HEADER = /^\s*\[\[?\s*([A-Za-z0-9_-]{1,64})/;
const KEY = /^\s*"?([A-Za-z0-9_-]{1,64})"?\s*(?:[.=]|$)/;

/** The line (from 1) on which a section or a key of it begins, for messages; undefined where TOML is written in another way than one key a line. */
export function lineOf(text: string, section: string, key?: string): number | undefined {
  let current = '';
  for (const [index, line] of text.split('\n').entries()) {
    const header = HEADER.exec(line)?.[1];
    if (header !== undefined) {
      current = header;
      if (header === section && (key === undefined || line.includes(`.${key}`))) return index + 1;
      continue;
    }
    const [, word = ''] = KEY.exec(line) ?? [];
    if (current === '' && word === section && (key === undefined || line.includes(key))) return index + 1;
    if (current === section && key !== undefined && word === key) return index + 1;
  }
  return undefined;
}
