// One Linux executable: Node.js with the program as a "single executable application" (ADR 32).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withNote } from './elf.mjs';
import { filesBelow } from './program.mjs';

const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:';

/** Writes the executable. `node` is the stripped runtime, which also makes the blob; `workshop` an empty folder. */
export function writeExecutable({ program, node, workshop, target }) {
  const files = Object.fromEntries(
    filesBelow(program).map((file) => [file, readFileSync(join(program, file), 'utf8')]),
  );
  const text = JSON.stringify(files);
  const key = createHash('sha256').update(text).digest('hex');
  writeFileSync(join(workshop, 'program.json'), text);
  writeFileSync(join(workshop, 'key.txt'), key);
  const settings = {
    main: join(import.meta.dirname, 'launcher.cjs'),
    output: join(workshop, 'blob'),
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: false,
    execArgv: [],
    execArgvExtension: 'none',
    assets: { 'program.json': join(workshop, 'program.json'), 'key.txt': join(workshop, 'key.txt') },
  };
  const runtime = join(workshop, 'node');
  writeFileSync(runtime, node, { mode: 0o755 });
  const config = join(workshop, 'sea.json');
  writeFileSync(config, JSON.stringify(settings));
  const { status, stderr } = spawnSync(runtime, ['--experimental-sea-config', config], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`Node.js made no blob: ${stderr}`);
  const executable = withNote(node, 'NODE_SEA_BLOB', readFileSync(settings.output));
  const fuse = executable.indexOf(`${FUSE}0`, 0, 'latin1');
  if (fuse < 0) throw new Error('this Node.js cannot carry a program');
  executable.write('1', fuse + FUSE.length, 'latin1');
  writeFileSync(target, executable);
  chmodSync(target, 0o755);
}
