import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { listIndexes } from './indexes.ts';
import { openDatabase } from './open.ts';

const source = (name: string): string => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));

/** Adds pairs of rows for ever, saying which pair is committed. */
const writer = (path: string, thread: boolean): string => `
  import { insertIndex } from ${source('./indexes.ts')};
  import { openDatabase } from ${source('./open.ts')};
  import { writeTransaction } from ${source('./transactions.ts')};
  const { db } = await openDatabase({ path: ${JSON.stringify(path)}, thread: ${thread} });
  for (let number = 0; ; number += 1) {
    await writeTransaction(db, async (tx) => {
      await insertIndex(tx, { name: number + 'a', profile: 'x'.repeat(2000), now: new Date() });
      await insertIndex(tx, { name: number + 'b', profile: 'x'.repeat(2000), now: new Date() });
    });
    process.stdout.write(number + '\\n');
  }
`;

it.each([
  { thread: false, commits: 1 },
  { thread: false, commits: 150 },
  { thread: true, commits: 60 },
])(
  'keeps every committed transaction and no half one after kill -9 (thread: $thread, after $commits commits)',
  async ({ thread, commits }) => {
    const folder = await mkdtemp(join(tmpdir(), 'rind-crash-'));
    const path = join(folder, 'rind.db');
    const program = writer(path, thread);
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.split('\n').length > commits) child.kill('SIGKILL');
    }
    const acknowledged = output.split('\n').length - 1;
    expect(acknowledged).toBeGreaterThanOrEqual(commits);

    const database = await openDatabase({ path });
    const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(database.db);
    expect(rows.map(({ integrity_check }) => integrity_check)).toEqual(['ok']);
    const stored = (await listIndexes(database.db)).map(({ name }) => name);
    expect(stored.length).toBeGreaterThanOrEqual(acknowledged * 2);
    expect(stored.length % 2).toBe(0);
    const names = new Set(stored);
    for (let number = 0; number < stored.length / 2; number += 1) {
      expect(names.has(`${number}a`) && names.has(`${number}b`)).toBe(true);
    }
    await database.close();
    await rm(folder, { recursive: true });
  },
);
