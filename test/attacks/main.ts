// `npm run attacks`: every attack through the built program and real installers, beside plain pip on the same mirror.
// --write puts the table into docs/attacks.md; --all-tools adds uv, poetry, pdm and pipenv; --only=REGEX; --no-twins; --jobs=N.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout, scratchFolder } from '../tools/rind-program.ts';
import type { AttackCase, Expected } from './attack-case.ts';
import { sections } from './cases/index.ts';
import { runFar, type FarRoad } from './far-matrix.ts';
import type { Outcome } from './near-client.ts';
import { deviation, honest, runNear, twinProject } from './near-matrix.ts';
import { Tools, TOOLS, type ToolName } from './tools.ts';
import { World } from './world.ts';

const option = (name: string): string | undefined =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const only = new RegExp(option('only') ?? '');
const withTwin = !process.argv.includes('--no-twins');
const jobs = Number(option('jobs') ?? 3);
const tools: readonly ToolName[] = process.argv.includes('--all-tools') ? TOOLS : ['pip'];

interface Job {
  readonly attackCase: AttackCase;
  readonly tool: ToolName;
  readonly road: FarRoad;
}

const cells = new Map<string, string>();
const wrong: string[] = [];
const keyOf = ({ attackCase, tool, road }: Job): string => `${attackCase.id} ${tool} ${road}`;

/** Needs a clock or a patience that only the client in this process has. */
const isNear = ({ clock, patience, isLong }: AttackCase): boolean =>
  clock !== undefined || patience !== undefined || isLong === true;

function jobsOf(attackCase: AttackCase): Job[] {
  const roads: readonly FarRoad[] =
    attackCase.beyondProxy === undefined ? ['rind run', 'rind proxy'] : ['rind run'];
  const ours = tools
    .filter((tool) => tool === 'pip' || (attackCase.call === undefined && attackCase.readsHtml !== true))
    .flatMap((tool) => roads.map((road) => ({ attackCase, tool, road })));
  if (isNear(attackCase)) return ours.filter(({ tool }) => tool === 'pip');
  return [...ours, { attackCase, tool: 'pip', road: 'plain' }];
}

async function runJob(world: World, found: Tools, job: Job): Promise<void> {
  const { attackCase, tool, road } = job;
  const { expected, wanted = 'wheely' } = attackCase;
  if (road !== 'plain' && isNear(attackCase)) {
    const { attack, twin } = await runNear(world, attackCase, road, join(world.folder, 'near'));
    return judge(job, deviation(expected, wanted, attack), twin, ' *');
  }
  const { attack, twin } = await runFar(world, found, attackCase, {
    tool,
    road,
    withTwin: withTwin && road !== 'plain',
    // What else the user or her project asks meets pip as rind client setup leaves it.
    isSetUp: attackCase.call !== undefined,
  });
  if (road === 'plain') return void cells.set(keyOf(job), plainly(attack, wanted));
  // Behind the proxy a name that only another host has is both: absent here, and refused there.
  const isBoth =
    expected.verdict === 'rejected' && expected.code === 'absent' && attack.code === 'other host';
  const strict = deviation(expected, wanted, isBoth ? { ...attack, code: 'absent' } : attack);
  // Installers other than pip may go on without the .metadata beside a file: what they then install is verified itself.
  const isRight = tool !== 'pip' && attack.installed.join() === honest(wanted);
  judge(job, isRight ? undefined : strict, twin, strict !== undefined && isRight ? ' (the right file)' : '');
}

function judge(job: Job, deviates: string | undefined, twin: Outcome | undefined, note: string): void {
  const { attackCase } = job;
  const project = twinProject(attackCase);
  const refused =
    twin !== undefined && twin.installed.join() !== honest(project) ? `twin: ${twin.detail}` : undefined;
  const problem = deviates ?? refused;
  if (problem !== undefined) wrong.push(`${keyOf(job)}: ${problem}`);
  cells.set(keyOf(job), problem === undefined ? `holds${note}` : '**does not hold**');
}

function plainly({ installed }: Outcome, wanted: string): string {
  const what = installed.join(', ');
  if (what === '') return 'installs nothing';
  return what === honest(wanted) ? 'installs the right file' : `**installs ${what}**`;
}

function verdictText(expected: Expected): string {
  if (expected.verdict === 'rejected') return `rejected: ${expected.code}`;
  return expected.verdict === 'no effect'
    ? 'no effect'
    : `bounded: installs ${expected.installs} (${expected.by})`;
}

function render(): string {
  const lines: string[] = [];
  for (const { title, cases } of sections) {
    const chosen = cases.filter(({ id }) => only.test(id));
    if (chosen.length === 0) continue;
    const columns = tools.flatMap((tool) => [`\`rind run\`, ${tool}`, `\`rind proxy\`, ${tool}`]);
    const head = ['the attacker …', 'verdict', ...columns, 'plain pip'];
    lines.push(`## ${title}`, '', `| ${head.join(' | ')} |`, `|${head.map(() => ' --- |').join('')}`);
    for (const attackCase of chosen) {
      const ours = tools.flatMap((tool) =>
        (['rind run', 'rind proxy'] as const).map(
          (road) => cells.get(keyOf({ attackCase, tool, road })) ?? 'not seen',
        ),
      );
      const plain = cells.get(keyOf({ attackCase, tool: 'pip', road: 'plain' })) ?? 'not tried';
      lines.push(`| ${[attackCase.does, verdictText(attackCase.expected), ...ours, plain].join(' | ')} |`);
    }
    lines.push('');
  }
  return lines.join('\n');
}

function summary(): string {
  const chosen = sections.flatMap(({ cases }) => cases).filter(({ id }) => only.test(id));
  const of = (verdict: Expected['verdict']): number =>
    chosen.filter(({ expected }) => expected.verdict === verdict).length;
  const fooled = [...cells].filter(([key, cell]) => key.endsWith(' plain') && cell.startsWith('**')).length;
  const ours = [...cells].filter(([key]) => !key.endsWith(' plain'));
  const hold = ours.filter(([, cell]) => cell.startsWith('holds')).length;
  return (
    `${chosen.length} attacks: ${of('rejected')} are rejected, ${of('no effect')} have no effect, ${of('bounded')} are bounded. ` +
    `${hold} of ${ours.length} verdicts hold. Plain pip installs something else than the right file in ${fooled}.`
  );
}

const INTRODUCTION = `# Attacks

Somebody holds the mirror between a real \`rind serve\` and real installers, or the keys of the index. What he does, the verdict that was written before it was tried, whether it holds with pip
through \`rind run\` and through \`rind proxy\`, and what plain pip does with the same mirror. After each attack the same client
goes through the same mirror while it behaves, and is not refused: in the test suite with the client in its process, here too unless \`--no-twins\` is said.

- **rejected**: nothing is installed, and the code says why (\`absent\`: the index, signed, has no such thing; \`other host\`: what is no trusted index is not asked; \`not started\`: the installer is not even started).
- **no effect**: the right file is installed; what was changed is not looked at.
- **bounded**: no single client can see it; what bounds it is said.
- \`*\`: with the client in the process of the test, because it needs another clock, less patience or very much metadata.
- **not seen**: the installer asks nobody, or somebody else than the address of \`rind proxy\`; \`rind client setup\` takes such settings out, \`rind doctor\` finds them. Where a command, project or file names other places, pip is as
  \`rind client setup\` leaves it: the proxy is its HTTP proxy too.
`;

const scratch = await scratchFolder('attacks');
const world = await World.create(scratch.path);
const found = await Tools.find();
const queue = sections.flatMap(({ cases }) => cases.filter(({ id }) => only.test(id))).flatMap(jobsOf);
let done = 0;
const total = queue.length;
const work = async (): Promise<void> => {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    await runJob(world, found, job).catch((error: unknown) => {
      wrong.push(`${keyOf(job as Job)}: ${String(error)}`);
      cells.set(keyOf(job as Job), 'not run');
    });
    done += 1;
    if (done % 20 === 0) console.error(`${done} of ${total}`);
  }
};
await Promise.all(Array.from({ length: jobs }, work));
await world.close();
await scratch.remove();
console.log(`${render()}\n${summary()}`);
for (const each of wrong) console.error(each);
if (wrong.length > 0) process.exitCode = 1;
if (process.argv.includes('--write')) {
  const today = new Date().toISOString().slice(0, 10);
  const written = `Written by \`npm run attacks -- ${process.argv.slice(2).join(' ')}\` on ${today}. ${summary()}`;
  await writeFile(join(checkout, 'docs', 'attacks.md'), `${INTRODUCTION}\n${written}\n\n${render()}`);
}
