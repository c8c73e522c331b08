import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Developer } from '../support/developer.ts';
import { newSigner } from '../support/index-fixture.ts';
import { ServerFixture } from '../support/server-fixture.ts';
import { makeSdist } from '../tools/distribution.ts';
import { installers } from '../tools/installers.ts';
import { cleanEnvironment, run, type Finished } from '../tools/process.ts';
import { scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const TOOLS = ['twine', 'uv', 'poetry'] as const;

/** What tools print in boxes is wrapped: one line again, without the box. */
function plain({ output }: Finished): string {
  return output.replace(/[│╭╮╰╯─]/g, ' ').replace(/\s+/g, ' ');
}

describe('tools that know nothing of signatures, at a claimed project', () => {
  const available = whenAvailable(installers);
  const alice = newSigner();
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: ServerFixture;
  let owner: Developer;

  beforeAll(async () => {
    if (!available.present) return;
    scratch = await scratchFolder('staging');
    server = await ServerFixture.start();
    owner = new Developer(server, await server.issue({ verbs: ['read', 'upload', 'own'] }));
  });
  afterAll(async () => {
    await server?.close();
    await scratch?.remove();
  });

  /** A claimed project, and the folder of its next release. */
  async function claim(name: string): Promise<{ readonly folder: string; readonly filename: string }> {
    const first = makeSdist({ name, version: '0.9' });
    await owner.stage(first);
    const owners = { keys: [alice.key], threshold: 1 };
    expect((await owner.publish(name, { files: [first], owners, signers: [alice] })).status).toBe(200);
    const folder = join(scratch.path, name);
    await mkdir(join(folder, 'dist'), { recursive: true });
    const next = makeSdist({ name, version: '1.0' });
    await writeFile(join(folder, 'dist', next.filename), next.bytes);
    await writeFile(
      join(folder, 'pyproject.toml'),
      `[project]\nname = "${name}"\nversion = "1.0"\ndescription = "Claimed"\nrequires-python = ">=3.9"\n`,
    );
    return { folder, filename: next.filename };
  }

  function upload(tool: (typeof TOOLS)[number], folder: string, filename: string): Promise<Finished> {
    const { tools, bin } = available.value;
    const url = `http://127.0.0.1:${server.server.port}/legacy/`;
    const file = join('dist', filename);
    const [program, ...args] = {
      twine: [tools.twine, 'upload', '--verbose', '--non-interactive', '--repository-url', url, file],
      uv: [tools.uv, 'publish', '--publish-url', url, file],
      poetry: [join(bin, 'poetry'), 'publish', '--no-interaction', '--repository', 'rind'],
    }[tool];
    return run(program ?? '', args, {
      cwd: folder,
      env: cleanEnvironment({
        HOME: join(scratch.path, 'home'),
        PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
        NO_COLOR: '1',
        COLUMNS: '200',
        TWINE_USERNAME: '__token__',
        TWINE_PASSWORD: server.token,
        UV_PUBLISH_TOKEN: server.token,
        POETRY_REPOSITORIES_RIND_URL: url,
        POETRY_HTTP_BASIC_RIND_USERNAME: '__token__',
        POETRY_HTTP_BASIC_RIND_PASSWORD: server.token,
      }),
    });
  }

  it.each(TOOLS)('%s says what to do, and succeeds once an owner lets uploads wait', async (tool) => {
    const project = `claimed-${tool}`;
    const { folder, filename } = await claim(project);
    const refused = await upload(tool, folder, filename);
    expect(refused.code, refused.output).not.toBe(0);
    expect(plain(refused)).toContain(`The project '${project}' is claimed`);
    expect(plain(refused)).toContain(`rind staging ${project} on`);

    expect((await owner.api('PUT', `${project}/staging`, { on: true })).status).toBe(200);
    for (const _attempt of ['first', 'again']) {
      const staged = await upload(tool, folder, filename);
      expect(staged.code, staged.output).toBe(0);
      // No tool but a talkative one shows what came with a success.
      if (tool === 'twine') expect(plain(staged)).toContain('is staged, not public');
    }
    expect((await server.get(`/packages/${project}/${filename}`)).status).toBe(404);
    const { files } = JSON.parse((await owner.api('GET', `${project}/staged`)).text) as { files: object[] };
    expect(files).toMatchObject([{ filename }]);
  });
});
