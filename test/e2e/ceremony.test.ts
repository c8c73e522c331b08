import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { generateTokenKey } from '../../src/keys/pkcs11-keys.ts';
import { makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment, succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { buildRind, checkout, rind, rindMain, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { SoftHsm } from '../tools/soft-hsm.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

const follower = join(import.meta.dirname, 'python_tuf_follower.py');
const HOLDERS = ['ada', 'grace', 'joan'] as const;
const runFile = promisify(execFile);

/** The runbook's commands and files, by section. */
async function runbook(): Promise<ReadonlyMap<string, { commands: string[]; files: Map<string, string> }>> {
  const text = await readFile(join(checkout, 'docs', 'operations', 'ceremony.md'), 'utf8');
  const sections = new Map<string, { commands: string[]; files: Map<string, string> }>();
  for (const part of text.split(/^## /m).slice(1)) {
    const commands = [...part.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
      block.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : [])),
    );
    const files = new Map(
      [...part.matchAll(/```toml\n# (\S+)\n([\s\S]*?)```/g)].map(([, name = '', body = '']) => [name, body]),
    );
    sections.set(part.split('\n')[0] ?? '', { commands, files });
  }
  return sections;
}

/** Somebody's table: a folder, a shell with the built `rind` on its PATH, three holders with keys. */
class Table {
  readonly folder: string;
  readonly #environment: Record<string, string>;

  constructor(folder: string, environment: Record<string, string>) {
    this.folder = folder;
    this.#environment = environment;
  }

  static async set(
    folder: string,
    keys: Readonly<Record<string, string>>,
    environment: Record<string, string> = {},
  ): Promise<Table> {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'rind'), `#!/bin/sh\nexec "${process.execPath}" "${rindMain}" "$@"\n`);
    await chmod(join(bin, 'rind'), 0o755);
    const variables: Record<string, string> = {
      ...environment,
      PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
    };
    for (const holder of HOLDERS) {
      await mkdir(join(folder, holder));
      await writeFile(
        join(folder, holder, 'secret'),
        holder === 'ada' ? '111111' : `secret of ${holder}`.replaceAll(' ', '-'),
        { mode: 0o600 },
      );
      variables[`${holder.toUpperCase()}_KEY`] = keys[holder] ?? '';
      variables[`${holder.toUpperCase()}_SECRET`] = `file:${holder}/secret`;
    }
    return new Table(folder, variables);
  }

  /** Runs commands of the runbook in one shell, all of which must succeed. Returns what they printed. */
  async follow(
    section: { commands: readonly string[]; files: ReadonlyMap<string, string> } | undefined,
  ): Promise<string> {
    if (section === undefined || section.commands.length === 0)
      throw new Error('the runbook has no such section');
    for (const [name, text] of section.files) await writeFile(join(this.folder, name), text);
    const script = `set -eu\n${section.commands.join('\n')}\n`;
    const { stdout, stderr } = await runFile('bash', ['-c', script], {
      cwd: this.folder,
      env: cleanEnvironment(this.#environment),
      timeout: 500_000,
      maxBuffer: 1 << 24,
    });
    return `${stdout}${stderr}`;
  }
}

describe('the runbook of the key ceremony, as written,', () => {
  const tools = whenAvailable(pythonTools);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer | undefined;
  beforeAll(() => buildRind());
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    await scratch.remove();
  });

  async function perform(table: Table): Promise<void> {
    const sections = await runbook();
    const { folder } = table;
    const prepared = await table.follow(sections.get('Before the day'));
    expect(prepared).toContain('64 bins by path_hash_prefixes');
    expect(prepared).toContain('yearly renewal of root, targets, claimed and bins: 2 of 3 key holders');
    expect(prepared).toContain('REHEARSAL');
    await expect(
      rind(['ceremony', 'import', 'rehearsal', '--data', 'server'], { cwd: folder }),
    ).resolves.toMatchObject({ code: 1 });

    const first = await table.follow(sections.get('The first ceremony'));
    expect(first).toContain('6 one-time keys were used and discarded');
    expect(first).toContain('done    root: 2 of 2 signed (Ada, Joan)');
    expect(first).toContain('the default index is clean');
    const fingerprint = /^fingerprint ([0-9a-f]{64})$/m.exec(first)?.[1];
    expect(first.replaceAll(' ', '')).toContain(`fingerprint${fingerprint}`);

    server = await RindServer.start({ folder: join(folder, 'server') });
    expect(server.fingerprint).toBe(fingerprint);
    const made = await rind(['token', 'create', 'ci', '--data', 'server'], { cwd: folder });
    const token = /rind_[0-9A-Za-z]+/.exec(made.output)?.[0] ?? '';
    const wheel = makeWheel({ name: 'demo', version: '1.0' });
    const uploader = new Uploader(server.uploadUrl, token);
    expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
    const path = `packages/demo/${wheel.filename}`;
    const followed = async () => {
      const args = [
        follower,
        join(folder, 'client'),
        server?.url ?? '',
        join(folder, 'ada', 'trusted-root.json'),
        path,
      ];
      return JSON.parse((await succeed(tools.value.python, args)).stdout) as {
        root: number;
        targets: Record<string, string | null>;
      };
    };
    expect((await followed()).root).toBe(1);

    // The renewal, while a client asks all the time and another upload comes.
    let done = false;
    const polling = (async () => {
      for (let count = 0; ; count++) {
        if (done) return count;
        expect((await followed()).targets[path]).toMatch(/^[0-9a-f]{64}$/);
      }
    })();
    const renewed = table.follow(sections.get('A renewal')).finally(() => (done = true));
    expect(await uploader.upload(makeWheel({ name: 'demo', version: '2.0' }))).toMatchObject({ status: 200 });
    const output = await renewed;
    expect(await polling).toBeGreaterThan(5);
    expect(output).toContain('bins: 128 bins by succinct_roles (was 64 by path_hash_prefixes)');
    expect(output).toContain('done    root (keys of the present root): 2 of 2 signed');
    expect(output).toContain('the bundle is public');
    expect(output).toContain('the default index is clean');
    expect(await followed()).toMatchObject({ root: 2, targets: { [path]: expect.any(String) } });
    expect(await uploader.upload(makeWheel({ name: 'demo', version: '3.0' }))).toMatchObject({ status: 200 });
    uploader.close();
    // What was never on the table is not in the folders either.
    for (const name of ['bundle', 'backup', 'online-only', 'renewal']) {
      const { stdout } = await runFile('grep', ['-rlE', 'PRIVATE KEY|ciphertext', name], {
        cwd: folder,
      }).catch(() => ({ stdout: '' }));
      expect(stdout).toBe('');
    }
  }

  it('works with key files of three root holders in three folders, two of whom sign', async () => {
    scratch = await scratchFolder('ceremony-files');
    const keys = Object.fromEntries(HOLDERS.map((holder) => [holder, `file2:${holder}/root.json`]));
    await perform(await Table.set(scratch.path, keys));
  });

  describe('with PKCS#11 tokens', () => {
    const hsm = whenAvailable(async () => {
      const place = await scratchFolder('ceremony-tokens');
      return { softHsm: await SoftHsm.open(place.path), place };
    });

    it('works with the three keys in tokens of their own', async () => {
      scratch = hsm.value.place;
      const { softHsm } = hsm.value;
      const keys: Record<string, string> = {};
      const pinOf = (holder: string) => (holder === 'ada' ? '111111' : `secret-of-${holder}`);
      // All tokens first: the library looks for them once.
      for (const holder of HOLDERS) await softHsm.createToken(holder, pinOf(holder));
      for (const holder of HOLDERS) {
        const pin = pinOf(holder);
        keys[holder] = softHsm.uri('1', holder);
        const scheme = holder === 'joan' ? 'ecdsa-sha2-nistp256' : 'ed25519';
        await generateTokenKey(keys[holder], scheme, { secret: async () => pin });
      }
      await perform(await Table.set(scratch.path, keys, { SOFTHSM2_CONF: softHsm.configuration }));
    });
  });
});
