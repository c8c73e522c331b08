// `npm run installers`: what each installer does in front of each kind of failure, on both roads, by real runs; --write puts it into docs/installers.md; --only=REGEX runs some of the failures.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout, scratchFolder } from '../tools/rind-program.ts';
import { FAILURES, resultOf, type Failure } from './failures.ts';
import { runFar } from './far-matrix.ts';
import type { Road } from './near-client.ts';
import { Tools, TOOLS, type ToolName } from './tools.ts';
import { World } from './world.ts';

const jobs = Number(process.argv.find((argument) => argument.startsWith('--jobs='))?.slice(7) ?? 3);
const only = new RegExp(process.argv.find((argument) => argument.startsWith('--only='))?.slice(7) ?? '');
const ROADS: readonly Road[] = ['rind run', 'rind proxy'];
const cells = new Map<string, string>();
const keyOf = (failure: Failure, tool: ToolName, road: Road): string => `${failure.name} ${tool} ${road}`;

const scratch = await scratchFolder('installers');
const world = await World.create(scratch.path);
const found = await Tools.find();
const queue = FAILURES.filter(({ name }) => only.test(name)).flatMap((failure) =>
  TOOLS.flatMap((tool) => ROADS.map((road) => ({ failure, tool, road }))),
);
const work = async (): Promise<void> => {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const { failure, tool, road } = job;
    const { attackCase, withSecond = false } = failure;
    const { attack } = await runFar(world, found, attackCase, {
      tool,
      road,
      withTwin: false,
      withSecond,
      isSetUp: tool === 'pip',
    });
    const result = resultOf(attack, road, attackCase.wanted ?? 'wheely');
    cells.set(keyOf(failure, tool, road), result);
    console.error(
      `${failure.name} · ${tool} · ${road}: ${result} (${attack.code ?? '-'}, exit ${attack.finished.code})`,
    );
    if (process.argv.includes('--verbose')) console.error(attack.finished.output);
  }
};
await Promise.all(Array.from({ length: jobs }, work));
await world.close();
await scratch.remove();

function table(road: Road): string {
  const rows = FAILURES.map(
    (failure) =>
      `| ${[failure.name, ...TOOLS.map((tool) => cells.get(keyOf(failure, tool, road)))].join(' | ')} |`,
  );
  return [`| ${['', ...TOOLS].join(' | ')} |`, `|${' --- |'.repeat(TOOLS.length + 1)}`, ...rows].join('\n');
}

const page = `# Installers and failures

What each installer does when something is wrong, settled by real runs of \`npm run installers -- --write\` on ${new Date().toISOString().slice(0, 10)} with the versions that \`test/tools\` pins.
"A second index" is one of somebody else that the project or the command names beside the trusted one, with a higher version unless another is said.

## \`rind run\`

The verdict does not depend on the installer: it is ended, the reason is printed, the exit code is 3 (1 where nothing could be verified because the index was not reached). A second index is refused like every other host.

${table('rind run')}

## \`rind proxy\`

The proxy cannot end the installer, it can only answer: what pip, pdm and pipenv hide, they are told by files they cannot have; uv and poetry are told at the page. Where the installer shows no reason,
the proxy prints it and its status page keeps it. pip is as \`rind client setup\` leaves it: the proxy is its HTTP proxy too, and reaches nobody, so that a second index is refused. The other installers ask a second
index by themselves, past the proxy.

${table('rind proxy')}

## What cannot be made to fail closed, and is refused

Not started by \`rind run\`, because no proxy would see what is installed: \`--find-links\` and indexes in a folder, also in files of requirements; wheel files in uv's sources; \`pip --proxy\`, \`pip --isolated\`, \`uv --config-file\`,
proxies in \`uv.toml\` or \`[tool.uv]\`;
\`git+ssh\`, \`svn\`, \`hg\`. Settings of the same kind in the environment and in \`pip.conf\` are left out. Each is in [the table of attacks](attacks.md).

With \`rind proxy\` and an installer other than pip, a second index in a project is that installer's own business, so it is not safe to have one. uv asks it first, since it comes before the default one; pdm takes the
highest version of all of them, poetry goes to a supplemental source for what the first has not. The address of the trusted index is asked too late, or in vain, and no answer of it would change that: the proxy sees neither the question nor the project. Nor can settings mend it: what
a project names, uv and pdm take before what a user does; uv has a setting for its HTTP proxy, and uses it for publishing and for Python itself too; the others take theirs from the environment, for everything that runs in it.
\`rind client setup\` takes further indexes out of the user's settings, \`rind doctor\` finds those of projects. \`rind run\` is the way for projects that need several indexes, and for all that is to be safe whatever a project says.
`;
console.log(page);
if (process.argv.includes('--write') && only.source === '(?:)')
  await writeFile(join(checkout, 'docs', 'installers.md'), page);
