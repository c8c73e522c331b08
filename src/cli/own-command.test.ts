import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ownCommand } from './own-command.ts';

let prefix: string;

beforeEach(async () => {
  prefix = await mkdtemp(join(tmpdir(), 'rind-own-command-'));
  await mkdir(join(prefix, 'bin'));
  await writeFile(join(prefix, 'bin', 'rind'), '');
});

afterEach(() => rm(prefix, { recursive: true }));

it('is the launcher of the environment that this program runs from', () => {
  const execPath = join(prefix, 'lib', 'rind', 'node');
  expect(ownCommand({ RIND_PREFIX: prefix }, execPath)).toEqual([join(prefix, 'bin', 'rind')]);
});

it('is not the launcher of another environment, whose variable a parent left', () => {
  for (const RIND_PREFIX of [prefix, '', undefined])
    expect(ownCommand({ RIND_PREFIX }, '/usr/bin/node')).toEqual([
      '/usr/bin/node',
      expect.stringMatching(/\/main\.js$/),
    ]);
});
