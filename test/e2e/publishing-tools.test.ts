import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../tools/distribution.ts';
import { installers, type Installers } from '../tools/installers.ts';
import { cleanEnvironment, type Finished, run } from '../tools/process.ts';
import { buildRind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';

type Command = readonly [program: string, ...args: string[]];

/** Where and as whom to upload, and the files, relative to the project's folder. */
interface Place {
  readonly url: string;
  readonly token: string;
  readonly files: readonly string[];
}

/** One tool that uploads: how a person would call it in the folder of her project. */
interface PublishingTool {
  readonly name: string;
  command(installed: Installers, place: Place): Command;
  environment?(place: Place): Record<string, string>;
}

const TOOLS: readonly PublishingTool[] = [
  {
    name: 'twine',
    command: ({ tools }, { url, files }) => [
      tools.twine,
      'upload',
      '--non-interactive',
      '--disable-progress-bar',
      '--repository-url',
      url,
      ...files,
    ],
    environment: ({ token }) => ({ TWINE_USERNAME: '__token__', TWINE_PASSWORD: token }),
  },
  {
    name: 'uv',
    command: ({ tools }, { url, files }) => [tools.uv, 'publish', '--publish-url', url, ...files],
    environment: ({ token }) => ({ UV_PUBLISH_TOKEN: token }),
  },
  {
    name: 'poetry',
    command: ({ bin }) => [join(bin, 'poetry'), 'publish', '--no-interaction', '--repository', 'rind'],
    environment: ({ url, token }) => ({
      POETRY_REPOSITORIES_RIND_URL: url,
      POETRY_HTTP_BASIC_RIND_USERNAME: '__token__',
      POETRY_HTTP_BASIC_RIND_PASSWORD: token,
    }),
  },
  {
    name: 'pdm',
    // Its HTTP cache drops the reason phrase: pdm shows why with -vv, and otherwise in the log it names.
    command: ({ pdm }, { url }) => [pdm, 'publish', '-vv', '--no-build', '--repository', url],
    environment: ({ token }) => ({
      PDM_PUBLISH_USERNAME: '__token__',
      PDM_PUBLISH_PASSWORD: token,
      PDM_CHECK_UPDATE: '0',
    }),
  },
  {
    name: 'hatch',
    command: ({ bin }, { url, files }) => [
      join(bin, 'hatch'),
      'publish',
      '--no-prompt',
      '--repo',
      url,
      ...files,
    ],
    environment: ({ token }) => ({ HATCH_INDEX_USER: '__token__', HATCH_INDEX_AUTH: token }),
  },
  {
    // Builds what it uploads, the only one that does.
    name: 'flit',
    command: ({ bin }) => [join(bin, 'flit'), 'publish', '--no-use-vcs'],
    environment: ({ url, token }) => ({
      FLIT_INDEX_URL: url,
      FLIT_USERNAME: '__token__',
      FLIT_PASSWORD: token,
    }),
  },
];

/** What tools print in boxes is wrapped: one line again, without the box. */
function plain({ output }: Finished): string {
  return output.replace(/[│╭╮╰╯─]/g, ' ').replace(/\s+/g, ' ');
}

describe('the tools that upload, unmodified', () => {
  const available = whenAvailable(installers);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;

  beforeAll(async () => {
    await buildRind();
    if (!available.present) return;
    scratch = await scratchFolder('publishing');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  /** The folder of a project of that name, as flit and the others want it, with its files in dist/. */
  async function makeProject(name: string, build: string): Promise<readonly string[]> {
    const folder = join(scratch.path, name);
    await mkdir(join(folder, 'dist'), { recursive: true });
    const module = name.replaceAll('-', '_');
    await writeFile(
      join(folder, `${module}.py`),
      `"""By a tool."""\n\n__version__ = '1.0'\nbuild = '${build}'\n`,
    );
    await writeFile(
      join(folder, 'pyproject.toml'),
      '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n\n' +
        `[project]\nname = "${name}"\nversion = "1.0"\ndescription = "By a tool"\nrequires-python = ">=3.9"\n`,
    );
    const made = [makeWheel({ name, version: '1.0', build }), makeSdist({ name, version: '1.0', build })];
    for (const { filename, bytes } of made) await writeFile(join(folder, 'dist', filename), bytes);
    return made.map(({ filename }) => join('dist', filename));
  }

  function publish(tool: PublishingTool, project: string, files: readonly string[], token = server.token) {
    const place = { url: server.uploadUrl, token, files };
    const [program, ...args] = tool.command(available.value, place);
    return run(program, args, {
      cwd: join(scratch.path, project),
      env: cleanEnvironment({
        HOME: join(scratch.path, 'home'),
        PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
        NO_COLOR: '1',
        COLUMNS: '200',
        ...tool.environment?.(place),
      }),
    });
  }

  async function listed(project: string): Promise<string[]> {
    const answer = await fetch(`${server.url}simple/${project}/?format=application/vnd.pypi.simple.v1+json`);
    if (answer.status !== 200) return [];
    return ((await answer.json()) as { files: { filename: string }[] }).files.map(({ filename }) => filename);
  }

  describe.each(TOOLS)('$name', (tool) => {
    const project = `by-${tool.name}`;
    let files: readonly string[];

    it('uploads a wheel and an sdist, and again without complaint', async () => {
      files = await makeProject(project, 'first');
      const first = await publish(tool, project, files);
      expect(first.code, first.output).toBe(0);
      const names = await listed(project);
      expect(names).toHaveLength(2);
      expect(names.map((name) => name.replace(/^.*?-1\.0/, ''))).toContain('.tar.gz');
      const again = await publish(tool, project, files);
      expect(again.code, again.output).toBe(0);
      expect(again.output).not.toContain(server.token);
    });

    it('shows why other content under the same name is refused', async () => {
      const before = await Promise.all((await listed(project)).map((name) => sha256(project, name)));
      await makeProject(project, 'second');
      const refused = await publish(tool, project, files);
      expect(refused.code, refused.output).not.toBe(0);
      expect(plain(refused)).toMatch(
        /File already exists.*its content never changes, choose another version/,
      );
      const after = await Promise.all((await listed(project)).map((name) => sha256(project, name)));
      expect(after).toEqual(before);
    });

    it('says that the token is wrong', async () => {
      const refused = await publish(tool, project, files, `${server.token.slice(0, -1)}_`);
      expect(refused.code, refused.output).not.toBe(0);
      expect(plain(refused)).toContain('This is no API token of this index');
      expect(refused.output).not.toContain(server.token.slice(0, -1));
    });
  });

  async function sha256(project: string, filename: string): Promise<string | null> {
    const answer = await fetch(`${server.url}packages/${project}/${filename}`, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    return answer.headers.get('etag');
  }

  it('leave no secret in the log of the server', async () => {
    expect(server.output).not.toContain(server.token);
    expect(server.output).not.toContain((await readFile(join(server.folder, 'upload-token'), 'utf8')).trim());
  });
});
