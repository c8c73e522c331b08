import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createToken, readProxyAddress, writeProxyAddress } from './proxy-address.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-address-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the address of a proxy', () => {
  it('is the same again, and nobody else can read it', async () => {
    const path = join(folder, 'proxy-address');
    const address = { port: 40_000, token: createToken() };
    await writeProxyAddress(path, address);
    expect(await readProxyAddress(path)).toEqual(address);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is a new one when there is none, or when somebody damaged it', async () => {
    const path = join(folder, 'proxy-address');
    const tokens = new Set<string>();
    for (const text of [
      '',
      '80',
      '0 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n',
      '99999 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n',
      '80 short\n',
      '80 ../../../../../../../../../../../..\n',
    ]) {
      await writeFile(path, text);
      const { port, token } = await readProxyAddress(path);
      expect([text, port]).toEqual([text, 0]);
      expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
      tokens.add(token);
    }
    expect(tokens.size).toBe(6);
  });
});
