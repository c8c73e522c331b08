import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPublicKey } from 'node:crypto';
import { cleanEnvironment, run } from '../tools/process.ts';
import { buildRind, rind, rindMain, scratchFolder } from '../tools/rind-program.ts';
import { SoftHsm } from '../tools/soft-hsm.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const PASSPHRASE = 'correct horse battery';
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let passphraseFile: string;

beforeAll(async () => {
  await buildRind();
  scratch = await scratchFolder('key-commands');
  passphraseFile = join(scratch.path, 'passphrase');
  await writeFile(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
});
afterAll(() => scratch.remove());

/** On a terminal of its own, as a person would. */
function onTerminal(steps: readonly (readonly [string, string])[], args: readonly string[]) {
  const script = join(import.meta.dirname, 'type_into_terminal.py');
  return run('python3', [script, JSON.stringify(steps), process.execPath, rindMain, ...args], {
    env: cleanEnvironment(),
    cwd: scratch.path,
  });
}

describe('rind key', () => {
  it('makes a key file on a terminal that shows nothing of the passphrase, and opens it again', async () => {
    const uri = `file2:${join(scratch.path, 'typed.json')}`;
    const made = await onTerminal(
      [
        ['new passphrase', `${PASSPHRASE}\r`],
        ['the same again', 'something else\r'],
        ['The two differ', ''],
        ['new passphrase', `${PASSPHRASE}X\u007f\r`],
        ['the same again', `${PASSPHRASE}\r`],
      ],
      ['key', 'new', uri],
    );
    expect(made).toMatchObject({ code: 0 });
    expect(made.output).not.toContain('horse');
    expect(made.output).not.toContain('something');
    const keyId = /key ([0-9a-f]{64})/.exec(made.output)?.[1];
    expect((await stat(join(scratch.path, 'typed.json'))).mode & 0o777).toBe(0o600);

    const shown = await onTerminal([['passphrase of', `${PASSPHRASE}\r`]], ['key', 'show', uri]);
    expect(shown.output).toContain(`key ${keyId} ed25519`);
    expect(shown.output).not.toContain('horse');

    const given = await onTerminal([['passphrase of', '\u0003']], ['key', 'show', uri]);
    expect(given).toMatchObject({ code: 1 });
    expect(given.output).toContain('No passphrase of the key file');
  });

  it.each(['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256'])(
    'makes an %s key with the passphrase of a file, and exports its public half',
    async (scheme) => {
      const uri = `file2:${join(scratch.path, `${scheme}.json`)}`;
      const secret = ['--secret', `file:${passphraseFile}`];
      const made = await rind(['key', 'new', uri, '--scheme', scheme, ...secret]);
      expect(made).toMatchObject({ code: 0 });
      const keyId = made.stdout.trim().replace('key ', '');
      const again = await rind(['key', 'new', uri, ...secret]);
      expect(again).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('never overwritten') as string,
      });
      const json = JSON.parse((await rind(['key', 'show', uri, '--json', ...secret])).stdout) as object;
      expect(json).toMatchObject({ [keyId]: { scheme, keyval: { public: expect.any(String) as string } } });
      const pem = (await rind(['key', 'show', uri, '--pem', ...secret])).stdout;
      expect(createPublicKey(pem).type).toBe('public');
    },
  );

  it('takes the passphrase from a file descriptor and from a credential of systemd', async () => {
    const uri = `file2:${join(scratch.path, 'ed25519.json')}`;
    const child = spawn(process.execPath, [rindMain, 'key', 'show', uri, '--secret', 'fd:3'], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      env: cleanEnvironment(),
    });
    (child.stdio[3] as NodeJS.WritableStream).end(`${PASSPHRASE}\n`);
    let output = '';
    child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(output).toMatch(/^key [0-9a-f]{64} ed25519\n$/);

    const credentials = join(scratch.path, 'credentials');
    await mkdir(credentials, { mode: 0o700 });
    await writeFile(join(credentials, 'root-key'), PASSPHRASE, { mode: 0o400 });
    const env = { CREDENTIALS_DIRECTORY: credentials };
    const show = (name: string) => rind(['key', 'show', uri, '--secret', `credential:${name}`], { env });
    expect((await show('root-key')).stdout).toBe(output);
    expect(await show('other')).toMatchObject({ code: 1 });
    await chmod(join(credentials, 'root-key'), 0o444);
    expect(await show('root-key')).toMatchObject({ code: 1, stderr: expect.stringContaining('open to others') as string }); // prettier-ignore
  });

  it('never repeats a secret that was written where it does not belong', async () => {
    const uri = `file2:${join(scratch.path, 'ed25519.json')}`;
    const shown = await rind(['key', 'show', uri, '--secret', PASSPHRASE]);
    expect(shown.code).toBe(1);
    expect(shown.output).toContain('never write the secret itself');
    expect(shown.output).not.toContain('horse');
  });

  it('says what to do without a terminal', async () => {
    const shown = await run('setsid', ['-w', process.execPath, rindMain, 'key', 'show', `file2:${join(scratch.path, 'ed25519.json')}`]); // prettier-ignore
    expect(shown.code).toBe(1);
    expect(shown.output).toContain('There is no terminal to ask for a passphrase');
  });

  it.each([
    ['a wrong passphrase', ['--secret', 'file:wrong'], 'ed25519.json', /does not open/],
    ['a file that is absent', ['--secret', 'file:wrong'], 'none.json', /none\.json is not there/],
  ])('names %s', async (_name, secret, file, message) => {
    await writeFile(join(scratch.path, 'wrong'), 'wrong\n', { mode: 0o600 });
    const shown = await rind(['key', 'show', `file2:${join(scratch.path, file)}`, ...secret], { cwd: scratch.path }); // prettier-ignore
    expect(shown.code).toBe(1);
    expect(shown.stderr).toMatch(message);
  });

  it('makes no keys of a service', async () => {
    expect(await rind(['key', 'new', 'awskms:alias/x'])).toMatchObject({ code: 2 });
  });
});

describe('rind key, with a token', () => {
  const hsm = whenAvailable(async () => SoftHsm.open(scratch.path));

  it('makes keys in it, lists them, and shows one', async () => {
    await hsm.value.createToken('holder', PASSPHRASE);
    const env = { SOFTHSM2_CONF: hsm.value.configuration };
    const secret = ['--secret', `file:${passphraseFile}`];
    for (const [id, scheme] of [
      ['2', 'ecdsa-sha2-nistp256'],
      ['3', 'ed25519'],
    ] as const) {
      const made = await rind(
        ['key', 'new', hsm.value.uri(id, 'holder'), '--scheme', scheme, '--label', 'root', ...secret],
        { env },
      );
      expect(made).toMatchObject({ code: 0 });
    }
    const listed = await rind(['key', 'show', hsm.value.uri('', 'holder')], { env });
    expect(listed.stdout.trim().split('\n').sort()).toEqual([
      expect.stringMatching(/^key [0-9a-f]{64} \S+ hsm:[23] "root"$/),
      expect.stringMatching(/^key [0-9a-f]{64} \S+ hsm:[23] "root"$/),
    ]);
    const shown = await rind(['key', 'show', hsm.value.uri('3', 'holder'), ...secret], { env });
    expect(listed.stdout).toContain(shown.stdout.trim());
    const wrong = await rind(['key', 'show', hsm.value.uri('3', 'holder'), '--secret', 'file:wrong-pin'], { env, cwd: scratch.path }); // prettier-ignore
    expect(wrong).toMatchObject({ code: 1 });
    const asked = await onTerminal([['PIN of the token "holder"', '00000000\r']], ['key', 'show', hsm.value.uri('3', 'holder')]); // prettier-ignore
    expect(asked.output).toMatch(/PIN of the token "holder" is wrong.*tries/);
    expect(asked.output).not.toContain('00000000');
    expect(await readFile(passphraseFile, 'utf8')).toContain(PASSPHRASE);
  });
});
