/** One line of a pip.conf as configparser reads it, and what pip makes of it. */
export type PipConfigurationLine = { readonly text: string; readonly section: string } & (
  | { readonly kind: 'section' | 'other' }
  /** `option` as pip normalizes it: `--Index_URL` is `index-url`. */
  | { readonly kind: 'option'; readonly option: string; readonly value: string; readonly indent: string }
  /** It goes on with the value of the option above. */
  | { readonly kind: 'continuation'; readonly option: string; readonly value: string }
);

/**
 * Reads a pip.conf line by line. A line that is indented deeper than the option above goes on with its value; otherwise indentation
 * means nothing, so that the first option of a section may be indented too.
 */
export function* readPipConfiguration(text: string): Generator<PipConfigurationLine> {
  let section = '';
  let option: string | undefined;
  let level = 0;
  for (const line of text === '' ? [] : text.replace(/\n$/, '').split('\n')) {
    const content = line.trim();
    if (content === '' || /^[#;]/.test(content)) {
      yield { kind: 'other', text: line, section };
      continue;
    }
    const indent = /^\s*/.exec(line)?.[0] ?? '';
    if (option !== undefined && indent.length > level) {
      yield { kind: 'continuation', text: line, section, option, value: content };
      continue;
    }
    level = indent.length;
    const header = /^\[(.+)\]/.exec(content)?.[1];
    if (header !== undefined) {
      section = header;
      option = undefined;
      yield { kind: 'section', text: line, section };
      continue;
    }
    const [, name = content, value = ''] = /^(.*?)\s*[=:](.*)$/.exec(content) ?? [];
    option = name.trim().toLowerCase().replaceAll('_', '-').replace(/^--/, '');
    yield { kind: 'option', text: line, section, option, value: value.trim(), indent };
  }
}
