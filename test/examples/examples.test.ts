import { copyFile, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWheel } from '../tools/distribution.ts';
import { flipByte, Mirror } from '../tools/mirror.ts';
import { cleanEnvironment, run, succeed } from '../tools/process.ts';
import { buildRind, checkout, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { Uploader } from '../tools/upload.ts';

const modules = join(checkout, 'node_modules');

/** The packages that somebody who installs Rind gets beside it. */
async function installedWithRind(): Promise<readonly string[]> {
  const { stdout } = await run('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: checkout });
  return stdout.split('\n').filter((line) => line.startsWith(modules));
}

/** A project of somebody else that depends on the package as `npm pack` makes it, and on nothing of this checkout. */
async function install(project: string): Promise<void> {
  await mkdir(join(project, 'node_modules', 'rind'), { recursive: true });
  const packed = await succeed('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], {
    cwd: checkout,
    env: cleanEnvironment({ npm_config_cache: join(project, 'npm-cache') }),
  });
  const name = /"filename": "([^"]+\.tgz)"/.exec(packed.stdout)?.[1] ?? '';
  const unpacked = join(project, 'node_modules', 'rind');
  await succeed('tar', ['-xzf', join(project, name), '--strip-components=1', '-C', unpacked]);
  const typesOfNode = ['@types/node', 'undici-types'].map((each) => join(modules, each));
  for (const path of new Set([...(await installedWithRind()), ...typesOfNode])) {
    const link = join(project, 'node_modules', relative(modules, path));
    await mkdir(dirname(link), { recursive: true });
    await symlink(path, link);
  }
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await cp(join(checkout, 'examples'), join(project, 'examples'), { recursive: true });
  await copyFile(join(import.meta.dirname, 'consumer.ts'), join(project, 'consumer.ts'));
}

describe('the packed package, in a project of somebody else', () => {
  const wheel = makeWheel({ name: 'exemplary', version: '1.0', padding: 4_000 });
  const path = `packages/exemplary/${wheel.filename}`;
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let project: string;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('examples');
    project = join(scratch.path, 'project');
    await install(project);
  });

  afterAll(() => scratch?.remove());

  it('has types for rind/tuf, rind/updater and rind/testing that TypeScript finds by its nodenext rules', async () => {
    const compilerOptions = {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      noEmit: true,
      allowJs: true,
      checkJs: true,
      skipLibCheck: true,
    };
    const files = ['consumer.ts', 'examples/verify-file.mjs', 'examples/simulated-repository.mjs'];
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const compiler = join(modules, 'typescript', 'bin', 'tsc');
    const { code, output } = await run(process.execPath, [compiler, '-p', project], { cwd: project });
    expect({ code, output }).toEqual({ code: 0, output: '' });
  });

  it('exports nothing but its three entries', async () => {
    const script = "await import('rind/dist/db/open.js').catch((error) => console.log(error.code))";
    const { stdout } = await succeed(process.execPath, ['--input-type=module', '-e', script], {
      cwd: project,
    });
    expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('runs the example that publishes, verifies and attacks a repository in memory', async () => {
    const { stdout } = await succeed(process.execPath, ['examples/simulated-repository.mjs'], {
      cwd: project,
    });
    expect(stdout).toContain('verified: greetings/hello.txt, asking for metadata/2.root.json');
    expect(stdout).toMatch(/refused: (UNSIGNED_METADATA|MALFORMED_METADATA)\nrefused: an old timestamp\n/);
  });

  describe('with an index of rind serve', () => {
    let server: RindServer;
    let mirror: Mirror;

    beforeAll(async () => {
      server = await RindServer.start({ folder: join(scratch.path, 'data') });
      mirror = await Mirror.start(server.url);
      const uploader = new Uploader(server.uploadUrl, server.token);
      expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
      uploader.close();
      const root = await fetch(`${server.url}metadata/1.root.json`);
      await writeFile(join(project, '1.root.json'), Buffer.from(await root.arrayBuffer()));
    });

    afterAll(async () => {
      await mirror?.close();
      await server?.stop();
    });

    function verifyFile(target: string, folder: string) {
      const args = ['examples/verify-file.mjs', mirror.url, '1.root.json', target, folder];
      return run(process.execPath, args, { cwd: project });
    }

    it('runs the example that downloads a verified file', async () => {
      mirror.tamper(undefined);
      const { code, stdout, stderr } = await verifyFile(path, 'taken');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`${wheel.filename}: ${wheel.bytes.length} bytes, sha256 `);
      expect(await readFile(join(project, 'taken', wheel.filename))).toEqual(wheel.bytes);
    });

    it('whose example says why it refuses a changed file, and leaves none', async () => {
      mirror.tamper({ paths: /\.whl$/, change: (bytes) => flipByte(bytes) });
      const { code, stderr } = await verifyFile(path, 'refused');
      expect(code).toBe(1);
      expect(stderr).toContain('not verified (LENGTH_OR_HASH_MISMATCH)');
      await expect(readFile(join(project, 'refused', wheel.filename))).rejects.toMatchObject({
        code: 'ENOENT',
      });
    });

    it('whose example knows a file that nobody signed for what it is', async () => {
      mirror.tamper(undefined);
      const { code, stderr } = await verifyFile('packages/exemplary/exemplary-9.9.tar.gz', 'absent');
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: 'packages/exemplary/exemplary-9.9.tar.gz: no role of this index lists it\n',
      });
    });
  });
});
