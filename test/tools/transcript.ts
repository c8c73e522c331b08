import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CorpusFile } from './corpus.ts';

/** The commands of the README's transcript, without their comments. */
export function transcriptOf(readme: string): string[] {
  const block = /```console\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  return block
    .split('\n')
    .filter((line) => line.startsWith('$ '))
    .map((line) => line.slice(2).replace(/\s+#.*$/, ''));
}

/** Copies flask and all it needs into a folder: what the transcript uploads. */
export async function copyFlask(files: readonly CorpusFile[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const wanted = /^(flask|blinker|click|itsdangerous|jinja2|markupsafe|werkzeug)-/;
  for (const { path, filename, list } of files)
    if (list === 'wheels' && wanted.test(filename)) await cp(path, join(folder, filename));
}
