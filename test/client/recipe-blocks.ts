/** A fenced block of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks under a heading of the second level. */
export function blocksUnder(page: string, heading: string): Block[] {
  const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`the page has no heading ${heading}`);
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** The shell lines of a CI recipe: `run:` of GitHub, the list under `script:` of GitLab, `RUN` of a Dockerfile. */
export function shellLines({ language, text }: Block): string[] {
  const lines = text.split('\n');
  if (language === 'dockerfile')
    return lines.flatMap((line) => /^RUN (?:--\S+ )*(.*)$/.exec(line)?.[1] ?? []);
  const runs = lines.flatMap((line) => /^\s*- run: (.*)$/.exec(line)?.[1] ?? []);
  const script = text.split(/^ {2}script:\n/m)[1] ?? '';
  return runs.length > 0 ? runs : script.split('\n').flatMap((line) => /^ {4}- (.*)$/.exec(line)?.[1] ?? []);
}
