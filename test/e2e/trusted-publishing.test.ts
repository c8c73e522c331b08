import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../tools/certificate.ts';
import { makeWheel } from '../tools/distribution.ts';
import { installers, type Installers } from '../tools/installers.ts';
import { LocalGitHub } from '../tools/local-github.ts';
import { cleanEnvironment, run, type Finished } from '../tools/process.ts';
import { buildRind, rind, rindMain, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const available = whenAvailable(async () => {
  const installed = await installers();
  const folder = await scratchFolder('trusted-publishing');
  await makeCertificate(folder.path);
  return { installed, folder };
});

describe('uv publish from a workflow, without a stored secret', () => {
  let installed: Installers;
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  let github: LocalGitHub;

  beforeAll(async () => {
    await buildRind();
    if (!available.present) return;
    ({ installed, folder: scratch } = available.value);
    github = await LocalGitHub.start();
    const at = (name: string): string => join(scratch.path, name);
    await mkdir(at('wheels'));
    // uv asks for the audience by https alone, so the server speaks TLS itself.
    const settings = [
      '[server]',
      'port = 0',
      `data = "${at('data')}"`,
      '[tls]',
      `certificate = "${at('cert.pem')}"`,
      `key = "${at('key.pem')}"`,
      '[publishing]',
      `issuers = [{ url = "${github.url}", kind = "github" }]`,
    ];
    await writeFile(at('rind.toml'), settings.join('\n'));
    const env = { RIND_CONFIG: at('rind.toml') };
    server = await RindServer.startProgram(process.execPath, [rindMain, 'serve'], {
      folder: at('data'),
      env,
    });
  });

  afterAll(async () => {
    github?.close();
    await server?.stop();
    await scratch?.remove();
  });

  async function publish(name: string, version = '1.0'): Promise<Finished> {
    const wheel = makeWheel({ name, version });
    const path = join(scratch.path, 'wheels', wheel.filename);
    await writeFile(path, wheel.bytes);
    const args = ['publish', '--publish-url', server.uploadUrl, '--trusted-publishing', 'always', path];
    return run(installed.tools.uv, args, {
      env: cleanEnvironment({
        HOME: scratch.path,
        NO_COLOR: '1',
        SSL_CERT_FILE: join(scratch.path, 'cert.pem'),
        ...github.environment,
      }),
    });
  }

  async function exists(name: string, version: string): Promise<boolean> {
    const { code } = await rind(['project', 'show', name, '--data', server.folder, '--json']);
    if (code !== 0) return false;
    const { stdout } = await rind(['project', 'show', name, '--data', server.folder, '--json']);
    const { files } = JSON.parse(stdout) as { files: { version: string }[] };
    return files.some((file) => file.version === version);
  }

  it('is refused with a sentence while nobody said that the workflow may', async () => {
    const unknown = await publish('by-workflow');
    expect(unknown.code, unknown.output).not.toBe(0);
    expect(unknown.output).toContain('no project here knows this workflow as its publisher');
  });

  it('makes a project that waits for it, publishes again, and nothing else', async () => {
    const where = ['--workflow', 'release.yml', '--environment', 'pypi', '--issuer', github.url];
    const args = ['publisher', 'add', 'by-workflow', 'github:cheese/shop', ...where, '--data', server.folder];
    const added = await rind(args);
    expect(added.code, added.output).toBe(0);
    for (const version of ['1.0', '2.0']) {
      const done = await publish('by-workflow', version);
      expect(done.code, done.output).toBe(0);
      // uv tells the log of the workflow what to hide, and then gives the token back.
      const [, token = ''] = /^::add-mask::(rind_\S+)$/m.exec(done.output) ?? [];
      expect(token).not.toBe('');
      expect(done.output).not.toMatch(/invalidate/);
      const me = await rind(['token', 'list', '--data', server.folder, '--json']);
      const tokens = JSON.parse(me.stdout) as { name: string; revoked: string | null }[];
      const minted = tokens.filter(({ name }) => name.startsWith('trusted publishing'));
      expect(minted.map(({ revoked }) => revoked)).not.toContain(null);
      expect(await exists('by-workflow', version)).toBe(true);
    }
    const other = await publish('not-its-own');
    expect(other.code, other.output).not.toBe(0);
    expect(await exists('not-its-own', '1.0')).toBe(false);
  });
});
