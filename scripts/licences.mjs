import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names of the packages that files of these paths belong to. */
export function packagesOf(paths) {
  const names = paths.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set(names)];
}

/** The bundled packages ask that their licence goes along. */
export function writeLicences(file, root, names) {
  const sorted = [...new Set(names)].toSorted((a, b) => (a < b ? -1 : 1));
  const texts = sorted.map((name) => {
    const place = join(root, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'));
    const licence = readdirSync(place).find((entry) => /^licen[cs]e/i.test(entry));
    const text = licence === undefined ? '' : readFileSync(join(place, licence), 'utf8').trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  writeFileSync(file, texts.join(`\n${'-'.repeat(80)}\n\n`));
}
