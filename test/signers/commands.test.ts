import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPublicKey } from 'node:crypto';
import { readFolder } from '../../src/ceremony/durable-folder.ts';
import { EventFolder } from '../../src/ceremony/event-folder.ts';
import { QUESTIONS } from '../../src/ceremony/questions.ts';
import { generatePrivateKey, KeySigner } from '../../src/keys/key-signer.ts';
import { writePrivateKeyFile } from '../../src/keys/private-key-file.ts';
import { CeremonyFixture, planText } from '../support/ceremony-fixture.ts';
import { onTerminal } from '../tools/on-terminal.ts';
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

const typed = (steps: Parameters<typeof onTerminal>[0], args: readonly string[]) =>
  onTerminal(steps, args, { env: cleanEnvironment(), cwd: scratch.path });

describe('rind key', () => {
  it('makes a key file on a terminal that shows nothing of the passphrase, and opens it again', async () => {
    const uri = `file2:${join(scratch.path, 'typed.json')}`;
    const made = await typed(
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

    const shown = await typed([['passphrase of', `${PASSPHRASE}\r`]], ['key', 'show', uri]);
    expect(shown.output).toContain(`key ${keyId} ed25519`);
    expect(shown.output).not.toContain('horse');

    const given = await typed([['passphrase of', '\u0003']], ['key', 'show', uri]);
    expect(given).toMatchObject({ code: 1 });
    expect(given.output).toContain('No passphrase of the key file');
    expect(given.output).toContain('terminal restored');
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
    const asked = await typed([['PIN of the token "holder"', '00000000\r']], ['key', 'show', hsm.value.uri('3', 'holder')]); // prettier-ignore
    expect(asked.output).toMatch(/PIN of the token "holder" is wrong.*tries/);
    expect(asked.output).not.toContain('00000000');
    expect(await readFile(passphraseFile, 'utf8')).toContain(PASSPHRASE);
  });
});

describe('on a terminal', () => {
  const files = async () => (await readdir(scratch.path, { recursive: true })).toSorted();
  const CTRL_C = '\u0003';

  it('asks for a new plan and writes it once all is answered; Ctrl-C in the middle writes nothing', async () => {
    const before = await files();
    const args = ['ceremony', 'plan', 'asked.toml'];
    const left = await typed(
      [
        ['profile', '\r'],
        ['how many files', '5000\r'],
        ['who holds', CTRL_C],
      ],
      args,
    );
    expect(left).toMatchObject({ code: 1 });
    expect(left.output).toContain('error: The question was not answered; nothing was written.');
    expect(left.output).toContain('terminal restored');
    expect(await files()).toEqual(before);
    await typed([['profile', '\r'], ['how many files', '5000\r'], ['who holds', 'Ada, Joan\r'], ['how many of them', '2\r']], args); // prettier-ignore
    expect(await readFile(join(scratch.path, 'asked.toml'), 'utf8')).toMatch(/holder = "Joan"/);
  });

  it('signs after the id was typed, the questions answered and the passphrase given; Ctrl-C anywhere signs nothing', async () => {
    const people = await CeremonyFixture.create();
    try {
      const privateKey = await generatePrivateKey('ed25519');
      people.signers.set('Ada', KeySigner.fromPrivateKey(privateKey));
      await writePrivateKeyFile(join(people.folder, 'ada.json'), privateKey, PASSPHRASE);
      const event = await people.event('event', planText(), { now: new Date() });
      const { id } = (await EventFolder.open(event)).event;
      const args = ['sign', event, '--key', `file2:${join(people.folder, 'ada.json')}`, '--first'];
      const questions = [...QUESTIONS.values()].map((question) => [question.slice(0, 20), 'yes\r'] as const);
      const steps = [['Type the first 12', `${id.slice(0, 12)}\r`], ...questions, ['passphrase of', `${PASSPHRASE}\r`]] as const; // prettier-ignore
      const before = await readFolder(event);
      for (const stop of [0, 1, steps.length - 1]) {
        const cut = steps.map(([text, answer], at) => [text, at === stop ? CTRL_C : answer] as const);
        const left = await typed(cut.slice(0, stop + 1), args);
        expect(left).toMatchObject({ code: 1 });
        expect(left.output).toContain('terminal restored');
        expect(await readFolder(event)).toEqual(before);
      }
      const wrong = await typed([['Type the first 12', '000000000000\r']], args);
      expect(wrong.output).toContain('That is not the id of this event; nothing was signed.');
      const signed = await typed(steps, args);
      expect(signed).toMatchObject({ code: 0 });
      expect(signed.output).not.toContain(PASSPHRASE);
      expect(signed.output).toMatch(/root: 1 of 2 signed \(Ada\)/);
      expect((await readFolder(event)).size).toBe(before.size + 2);
    } finally {
      await people.close();
    }
  });
});
