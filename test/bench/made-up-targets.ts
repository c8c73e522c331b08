import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';

const FILES_PER_PROJECT = 23;
const WRITTEN_TOGETHER = 20_000;

/** Writes lines of made-up targets, of the length of real paths, for `rind import`: those from `first` on. */
export async function writeMadeUpTargets(path: string, first: number, count: number): Promise<void> {
  const out = createWriteStream(path);
  let lines = ['path,size,sha256\n'];
  for (let index = first; index < first + count; index++) {
    lines.push(lineOf(index));
    if (lines.length < WRITTEN_TOGETHER) continue;
    if (!out.write(lines.join(''))) await once(out, 'drain');
    lines = [];
  }
  out.end(lines.join(''));
  await once(out, 'finish');
}

function lineOf(index: number): string {
  const project = Math.floor(index / FILES_PER_PROJECT);
  const version = `${1 + (index % FILES_PER_PROJECT)}.${index % 7}.0`;
  const sha256 = createHash('sha256').update(String(index)).digest('hex');
  return `packages/project-${project}/project_${project}-${version}-py3-none-any.whl,${1000 + (index % 900_000)},${sha256}\n`;
}
