import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../tools/distribution.ts';
import { flipByte, Mirror, type Tampering } from '../tools/mirror.ts';
import type { Finished } from '../tools/process.ts';
import { succeed } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, RindClient, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

/** Reads a project's page as an old installer does: HTML or nothing. */
const readHtmlPage = `
import os, sys, urllib.request
url = os.environ["PIP_INDEX_URL"].rstrip("/") + "/wheely/"
print(urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": "text/html"})).read().decode())
`;

/** What is asked for: an install from wheels, from an sdist, or an HTML page. */
type Errand = 'wheely' | 'sourcy' | 'html';

interface Attack {
  readonly name: string;
  readonly errand: Errand;
  readonly paths: RegExp;
  readonly change: Tampering['change'];
  /** The closed code of the verdict that the reason names. */
  readonly code: RegExp;
  /**
   * What `rind trust add` has fetched and verified already is not fetched again: such a thing is attacked at the first
   * contact (then nothing is trusted), or after an upload has made a new version of it.
   */
  readonly when?: 'at the first contact' | 'after an upload';
}

const hash = '(?:[0-9a-f]{64}\\.)?';
const jsonPage = new RegExp(`^/simple/wheely/(?:${hash}index\\.json)?$`);
const htmlPage = new RegExp(`^/simple/wheely/(?:${hash}index\\.html)?$`);
const newestWheel = new RegExp(`^/packages/wheely/${hash}wheely-2\\.0-py3-none-any\\.whl$`);
const newestSdist = new RegExp(`^/packages/sourcy/${hash}sourcy-2\\.0\\.tar\\.gz$`);
const coreMetadata = new RegExp(`^/packages/wheely/${hash}wheely-2\\.0-py3-none-any\\.whl\\.metadata$`);
const anyBin = /^\/metadata\/\d+\.bin-[0-9a-f]+\.json$/;
const timestamp = /^\/metadata\/timestamp\.json$/;
const snapshot = /^\/metadata\/\d+\.snapshot\.json$/;
const signedOrWhole = /tampered|wrongly-signed|malformed/;

/** The bin of a team's index with 256 of them that is responsible for a target path. */
function binOf(path: string): RegExp {
  const prefix = createHash('sha256').update(path).digest('hex').slice(0, 2);
  return new RegExp(`^/metadata/\\d+\\.bin-0*${prefix}\\.json$`);
}

function flip(name: string, paths: RegExp, code: RegExp, errand: Errand = 'wheely'): Attack {
  return { name: `one byte of ${name}`, errand, paths, code, change: (bytes) => flipByte(bytes) };
}

function appended(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.from('\n')]);
}

function shortened(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length - 1);
}

/** Metadata whose signatures are taken away. */
function unsigned(bytes: Buffer): Buffer {
  const envelope = JSON.parse(bytes.toString()) as { signatures: unknown[] };
  return Buffer.from(JSON.stringify({ ...envelope, signatures: [] }));
}

const other = makeWheel({ name: 'wheely', version: '2.0', build: 'of somebody else', padding: 4_000 });

const attacks: readonly Attack[] = [
  flip('the JSON page', jsonPage, /tampered/),
  flip('the HTML page', htmlPage, /tampered/, 'html'),
  flip('the wheel', newestWheel, /tampered/),
  flip('the sdist', newestSdist, /tampered/, 'sourcy'),
  flip('the .metadata', coreMetadata, /tampered/),
  flip('the timestamp', timestamp, signedOrWhole),
  { ...flip('the timestamp at the first contact', timestamp, signedOrWhole), when: 'at the first contact' },
  { ...flip('the snapshot', snapshot, signedOrWhole), when: 'after an upload' },
  { ...flip('the snapshot at the first contact', snapshot, signedOrWhole), when: 'at the first contact' },
  { ...flip('targets', /^\/metadata\/\d+\.targets\.json$/, signedOrWhole), when: 'at the first contact' },
  flip('bins', /^\/metadata\/\d+\.bins\.json$/, signedOrWhole),
  flip('every bin', anyBin, signedOrWhole),
  flip('the bin of the page', binOf('simple/wheely/index.json'), signedOrWhole),
  flip('the bin of the wheel', binOf('packages/wheely/wheely-2.0-py3-none-any.whl'), signedOrWhole),
  {
    name: 'a byte more at the end of the wheel',
    errand: 'wheely',
    paths: newestWheel,
    change: appended,
    code: /tampered/,
  },
  {
    name: 'a byte less at the end of the wheel',
    errand: 'wheely',
    paths: newestWheel,
    change: shortened,
    code: /tampered/,
  },
  {
    name: 'another wheel in its place',
    errand: 'wheely',
    paths: newestWheel,
    change: () => other.bytes,
    code: /tampered/,
  },
  {
    name: 'a byte more at the end of the JSON page',
    errand: 'wheely',
    paths: jsonPage,
    change: appended,
    code: /tampered/,
  },
  {
    name: 'the sha256 of another wheel on the JSON page',
    errand: 'wheely',
    paths: jsonPage,
    change: (bytes) =>
      Buffer.from(
        bytes
          .toString()
          .replaceAll(
            /"sha256":"[0-9a-f]{64}"/g,
            `"sha256":"${createHash('sha256').update(other.bytes).digest('hex')}"`,
          ),
      ),
    code: /tampered/,
  },
  {
    name: 'a newest release left out of the JSON page',
    errand: 'wheely',
    paths: jsonPage,
    change: (bytes) => Buffer.from(bytes.toString().replaceAll('wheely-2.0', 'wheely-0.5')),
    code: /tampered/,
  },
  {
    name: 'a timestamp without signatures',
    errand: 'wheely',
    paths: timestamp,
    change: unsigned,
    code: /wrongly-signed/,
  },
  { name: 'bins without signatures', errand: 'wheely', paths: anyBin, change: unsigned, code: signedOrWhole },
];

describe('an install through a mirror that tampers', () => {
  const tools = whenAvailable(pythonTools);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('tampering');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    const uploader = new Uploader(server.uploadUrl, server.token);
    for (const version of ['1.0', '2.0']) {
      for (const make of [
        makeWheel({ name: 'wheely', version, padding: 4_000 }),
        makeSdist({ name: 'sourcy', version, padding: 4_000 }),
      ]) {
        expect(await uploader.upload(make)).toMatchObject({ status: 200 });
      }
    }
    uploader.close();
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  let users = 0;
  let uploads = 0;

  interface User {
    readonly client: RindClient;
    /** Of a fresh virtual environment. */
    readonly python: string;
    /** Pins the index under the mirror's address. */
    readonly trust: () => Promise<Finished>;
    readonly errand: (errand: Errand) => Promise<Finished>;
  }

  /** A user with nothing cached who trusts nothing yet. */
  async function newUser(mirror: Mirror): Promise<User> {
    users += 1;
    const home = join(scratch.path, `user-${users}`);
    await mkdir(home);
    const client = new RindClient(home, tools.value.bin);
    const python = join(await createVirtualEnvironment(join(home, 'venv'), { withPip: false }), 'python');
    const errand = (wanted: Errand): Promise<Finished> =>
      wanted === 'html'
        ? client.run(['run', '--', python, '-c', readHtmlPage])
        : client.run(['pip', '--python', python, 'install', '--no-cache-dir', wanted]);
    const trust = (): Promise<Finished> => client.trust({ url: mirror.url, fingerprint: server.fingerprint });
    return { client, python, trust, errand };
  }

  async function trustingUser(mirror: Mirror): Promise<User> {
    const user = await newUser(mirror);
    const trusted = await user.trust();
    expect(trusted.code, trusted.output).toBe(0);
    return user;
  }

  async function uploadSomething(): Promise<void> {
    uploads += 1;
    const uploader = new Uploader(server.uploadUrl, server.token);
    const answer = await uploader.upload(makeWheel({ name: 'unrelated', version: `1.${uploads}` }));
    uploader.close();
    expect(answer).toMatchObject({ status: 200 });
  }

  /** What is installed in an environment: every name in its site-packages. */
  async function installed(python: string): Promise<string[]> {
    const libraries = join(dirname(dirname(python)), 'lib');
    const [version] = await readdir(libraries);
    return readdir(join(libraries, version!, 'site-packages'));
  }

  async function expectDone(errand: Errand, finished: Finished, python: string): Promise<void> {
    expect(finished.code, finished.output).toBe(0);
    if (errand === 'html') {
      expect(finished.stdout).toContain('wheely-2.0-py3-none-any.whl');
      return;
    }
    const version = await succeed(python, ['-c', `import ${errand}; print(${errand}.version)`]);
    expect(version.stdout.trim()).toBe('2.0');
  }

  describe.concurrent('ends with exit code 3, the reason, and nothing installed', () => {
    it.each(attacks.map((attack) => [attack.name, attack] as const))('%s', async (_, attack) => {
      const { errand: wanted, paths, change, code, when } = attack;
      const mirror = await Mirror.start(server.url);
      try {
        const isFirstContact = when === 'at the first contact';
        const user = isFirstContact ? await newUser(mirror) : await trustingUser(mirror);
        if (when === 'after an upload') await uploadSomething();
        mirror.tamper({ paths, change });
        const attacked = isFirstContact ? await user.trust() : await user.errand(wanted);
        expect(mirror.changed, 'the attack never took place').not.toEqual([]);
        expect(attacked.code, attacked.output).toBe(3);
        expect(attacked.stderr).toMatch(/^error: .+ did not verify \((.+)\)$/m);
        expect(/did not verify \((.+)\)/.exec(attacked.stderr)?.[1]).toMatch(code);
        if (isFirstContact) expect((await user.errand(wanted)).code).not.toBe(0);
        expect(attacked.output).not.toContain('Successfully installed');
        expect(await installed(user.python)).toEqual([]);

        // The benign twin: the same user through the same mirror, which now leaves everything as it is.
        mirror.tamper(undefined);
        if (isFirstContact) expect(await user.trust()).toMatchObject({ code: 0 });
        await expectDone(wanted, await user.errand(wanted), user.python);
      } finally {
        await mirror.close();
      }
    });
  });

  it('is not fooled by an older timestamp than it has seen', async () => {
    const mirror = await Mirror.start(server.url);
    try {
      const old = Buffer.from(await (await fetch(`${server.url}metadata/timestamp.json`)).arrayBuffer());
      await uploadSomething();
      const { python, errand } = await trustingUser(mirror);
      await expectDone('wheely', await errand('wheely'), python);
      mirror.tamper({ paths: timestamp, change: () => old });
      const attacked = await errand('sourcy');
      expect(attacked.code, attacked.output).toBe(3);
      expect(attacked.stderr).toContain('did not verify (rollback)');
      expect((await installed(python)).filter((name) => name.startsWith('sourcy'))).toEqual([]);
    } finally {
      await mirror.close();
    }
  });

  it('is not fooled by a file that was changed on the disk of the index, hard links and all', async () => {
    // README: `echo x >> rind-data/tree/packages/...`
    const uploader = new Uploader(server.uploadUrl, server.token);
    const wheel = makeWheel({ name: 'on-disk', version: '1.0' });
    expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
    uploader.close();
    await appendFile(join(server.folder, 'tree', 'packages', 'on-disk', wheel.filename), 'x');
    const mirror = await Mirror.start(server.url);
    try {
      const { python, client } = await trustingUser(mirror);
      const attacked = await client.run(['pip', '--python', python, 'install', '--no-cache-dir', 'on-disk']);
      expect(attacked.code, attacked.output).toBe(3);
      expect(attacked.stderr).toContain('did not verify (tampered)');
      expect(await installed(python)).toEqual([]);
    } finally {
      await mirror.close();
    }
  });

  it('is refused from the start when the root is not the one with the fingerprint', async () => {
    const mirror = await Mirror.start(server.url);
    try {
      mirror.tamper({ paths: /^\/metadata\/\d+\.root\.json$/, change: (bytes) => flipByte(bytes) });
      const home = join(scratch.path, 'misled');
      await mkdir(home);
      const client = new RindClient(home, tools.value.bin);
      const refused = await client.trust({ url: mirror.url, fingerprint: server.fingerprint });
      expect(mirror.changed).not.toEqual([]);
      expect(refused.code, refused.output).toBe(3);
      const untrusting = await client.run(['pip', 'download', 'wheely']);
      expect(untrusting.code).not.toBe(0);
      expect(untrusting.stderr).toMatch(/^error: .*trust/m);
    } finally {
      await mirror.close();
    }
  });
});
