import { findProject } from '../db/projects.ts';
import { deleteFiles, deleteProject } from '../registry/delete.ts';
import { requireIndex } from '../registry/indexes.ts';
import {
  notFound,
  projectNamed,
  type ChangeContext,
  type ChangeOutcome,
} from '../registry/project-change.ts';
import { setStatus } from '../registry/project-status.ts';
import { describeProject, listProjectSummaries, type ProjectSummary } from '../registry/project-summary.ts';
import { promoteRelease } from '../registry/promote.ts';
import type { Principal } from '../registry/principal.ts';
import type { FileChoice } from '../registry/release-files.ts';
import { restoreProject } from '../registry/restore-project.ts';
import { limitProject, previewRetention, retainIndex, retainProject } from '../registry/retention.ts';
import { transferProject } from '../registry/transfer.ts';
import { unyank, yank } from '../registry/yank.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { publishChanges, withData, withIndex } from './index-change.ts';
import { indexDefaults, settingsBeside } from './serve-settings.ts';
import { readSettings } from './settings-arguments.ts';
import { print, say } from './terminal.ts';

/** What every command about projects is told. */
export interface ProjectOptions {
  readonly data: string;
  readonly index: string;
  readonly json?: boolean;
}

type Change = (context: ChangeContext, principal: Principal) => Promise<ChangeOutcome>;

/** Makes one change, waits until it is public, tells of it. */
async function change(options: ProjectOptions, done: string, make: Change): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const outcome = await make(opened, opened.principal);
    await publishChanges(opened, opened.index, [outcome.journalId]);
    const { project, files, journalId: serial } = outcome;
    if (options.json === true) print(JSON.stringify({ project, files, serial }));
    else for (const file of files) print(file);
    say(`${project}: ${done}; it is public`);
    return EXIT.ok;
  });
}

export interface ReasonOptions extends ProjectOptions {
  readonly reason?: string;
}

export function yankFiles(options: ReasonOptions, project: string, choice: FileChoice): Promise<ExitCode> {
  return change(options, 'yanked', (context, by) => yank(context, by, project, choice, options.reason));
}

export function unyankFiles(options: ProjectOptions, project: string, choice: FileChoice): Promise<ExitCode> {
  return change(options, 'no longer yanked', (context, by) => unyank(context, by, project, choice));
}

export function removeFiles(options: ReasonOptions, project: string, choice: FileChoice): Promise<ExitCode> {
  return change(options, 'deleted, and the filenames are used for ever', (context, by) =>
    deleteFiles(context, by, project, choice, options.reason),
  );
}

export function removeProject(options: ReasonOptions, project: string): Promise<ExitCode> {
  return change(options, 'deleted, and its name is closed', (context, by) =>
    deleteProject(context, by, project, options.reason),
  );
}

export function restore(options: ProjectOptions, project: string): Promise<ExitCode> {
  return change(options, 'restored, without files', (context, by) => restoreProject(context, by, project));
}

export function mark(
  options: ReasonOptions,
  project: string,
  status: Parameters<typeof setStatus>[3],
): Promise<ExitCode> {
  return change(options, status, (context, by) => setStatus(context, by, project, status, options.reason));
}

export function transfer(
  options: ProjectOptions & { readonly leave?: boolean },
  project: string,
  user: string,
): Promise<ExitCode> {
  return change(options, `owned by ${user}`, (context, by) =>
    transferProject(context, by, project, user, { leave: options.leave === true }),
  );
}

export function limit(
  options: ProjectOptions,
  project: string,
  settings: readonly string[],
): Promise<ExitCode> {
  return change(options, 'its limits are set', (context, by) =>
    limitProject(context, by, project, readSettings(settings)),
  );
}

/** `rind project retention [PROJECT] [--apply]` */
export async function retention(
  options: ProjectOptions & { readonly apply?: boolean },
  project: string | undefined,
): Promise<ExitCode> {
  const defaults = indexDefaults(await settingsBeside(options.data));
  return withIndex(options.data, options.index, async (data) => {
    const opened = { ...data, indexDefaults: defaults };
    const files: string[] = [];
    const journalIds: number[] = [];
    const take = (outcome: ChangeOutcome): void => {
      files.push(...outcome.files);
      journalIds.push(outcome.journalId);
    };
    if (options.apply !== true) {
      for (const { name } of project === undefined
        ? await everyProject(opened)
        : [{ name: projectNamed(project) }])
        files.push(...(await previewRetention(opened, name)));
    } else if (project === undefined) {
      for await (const outcome of retainIndex(opened, opened.principal)) take(outcome);
    } else take(await retainProject(opened, opened.principal, project));
    await publishChanges(opened, opened.index, journalIds);
    if (options.json === true) print(JSON.stringify({ applied: options.apply === true, files }));
    else for (const file of files) print(file);
    say(
      options.apply === true
        ? `${files.length} files deleted`
        : `${files.length} files would go; --apply deletes them`,
    );
    return EXIT.ok;
  });
}

async function everyProject({
  db,
  index,
}: Pick<ChangeContext, 'db' | 'index'>): Promise<readonly ProjectSummary[]> {
  const all: ProjectSummary[] = [];
  for (;;) {
    const page = await listProjectSummaries(db, index.id, {
      after: all.at(-1)?.name,
      limit: 1000,
      all: true,
    });
    all.push(...page);
    if (page.length < 1000) return all;
  }
}

/** `rind project list` */
export async function list(options: ProjectOptions): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const projects = await everyProject(opened);
    if (options.json === true) print(JSON.stringify(projects, undefined, 2));
    else for (const project of projects) print(line(project));
    return EXIT.ok;
  });
}

function line({ name, status, removed, files, bytes }: ProjectSummary): string {
  return `${name.padEnd(32)}  ${(removed === null ? status : 'deleted').padEnd(11)}  ${String(files).padStart(5)} files  ${bytes} bytes`;
}

/** `rind project show` */
export async function show(options: ProjectOptions, project: string): Promise<ExitCode> {
  return withIndex(options.data, options.index, async ({ db, index }) => {
    const row = await findProject(db, index.id, projectNamed(project));
    if (row === undefined) throw notFound(`There is no project '${projectNamed(project)}' here.`, project);
    const described = await describeProject(db, row);
    if (options.json === true) {
      print(JSON.stringify(described, undefined, 2));
      return EXIT.ok;
    }
    print(line({ ...described, files: described.files.length }));
    for (const { filename, size, yanked, yankedReason } of described.files)
      print(`  ${filename}  ${size} bytes${yanked ? `  yanked: ${yankedReason ?? ''}` : ''}`);
    return EXIT.ok;
  });
}

/** `rind promote PROJECT==VERSION FROM TO`: `default` names the default index. */
export async function promote(
  options: { readonly data: string; readonly json?: boolean },
  release: string,
  from: string,
  to: string,
): Promise<ExitCode> {
  const [project = '', version = '', ...more] = release.split('==');
  if (version === '' || more.length > 0)
    throw new CliError('usage', `"${release}" names no release.`, ['rind promote PROJECT==VERSION FROM TO']);
  const defaults = indexDefaults(await settingsBeside(options.data));
  return withData(options.data, async (opened) => {
    const { db } = opened;
    const [source, target] = [
      await requireIndex(db, indexNamed(from)),
      await requireIndex(db, indexNamed(to)),
    ];
    const context = { ...opened, indexDefaults: defaults, from: source, to: target };
    const outcome = await promoteRelease(context, opened.principal, project, version);
    await publishChanges(opened, target, [outcome.journalId]);
    const { journalId: serial, ...told } = outcome;
    if (options.json === true) print(JSON.stringify({ ...told, serial }));
    else for (const file of outcome.files) print(file);
    say(`${outcome.project} ${outcome.version} is public in ${to}: ${outcome.files.length} files came over`);
    return EXIT.ok;
  });
}

function indexNamed(name: string): string {
  return name === 'default' ? '' : name;
}
