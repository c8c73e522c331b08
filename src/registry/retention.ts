import { findClaim } from '../db/claims.ts';
import { filesOfProject, markFileRemoved } from '../db/files.ts';
import { findProject, setProjectLimits } from '../db/projects.ts';
import type { Executor, FileRow } from '../db/schema.ts';
import {
  changedLimits,
  settingsForProject,
  settingsOf,
  storedLimits,
  type IndexSettingsForm,
  type ProjectLimits,
} from './index-settings.ts';
import { changeProject, type ChangeContext, type ChangeOutcome } from './project-change.ts';
import type { Principal } from './principal.ts';
import { expiredFiles } from './retention-rules.ts';

/** Sets quotas and retention rules of one project, over those of its index; `null` at a key takes it back. @throws RegistryError */
export function limitProject(
  context: ChangeContext,
  principal: Principal,
  name: string,
  change: unknown,
): Promise<ChangeOutcome & { readonly limits: ProjectLimits }> {
  let limits: ProjectLimits = {};
  const request = { project: name, verb: 'admin', keepsPage: true } as const;
  return changeProject(context, principal, request, async (tx, project) => {
    limits = changedLimits(storedLimits(project), change);
    const text = JSON.stringify(limits);
    await setProjectLimits(tx, project.id, text === '{}' ? null : text);
    return { kind: 'status', action: 'project.limits', subject: project.name, detail: { limits: text } };
  }).then((outcome) => ({ ...outcome, limits }));
}

/** What retention needs of the world: what the server tells indexes that were told nothing else is part of the rules. */
export interface RetentionContext extends ChangeContext {
  readonly indexDefaults?: IndexSettingsForm;
}

/** The files of a project that its retention rules would throw away now. @throws RegistryError NOT_FOUND */
async function expired(
  db: Executor,
  indexDefaults: IndexSettingsForm | undefined,
  project: { readonly id: number; readonly index_id: number; readonly limits: string | null },
  now: Date,
): Promise<readonly FileRow[]> {
  // Its owners alone take files away.
  if ((await findClaim(db, project.id)) !== undefined) return [];
  const { retention } = settingsForProject(await settingsOf(db, project.index_id, indexDefaults), project);
  return expiredFiles(await filesOfProject(db, project.id), retention, now);
}

/** What {@link retainProject} would remove. */
export async function previewRetention(
  { db, index, clock, indexDefaults }: RetentionContext,
  name: string,
): Promise<readonly string[]> {
  const project = await findProject(db, index.id, name);
  if (project === undefined || project.removed_at !== null) return [];
  return (await expired(db, indexDefaults, project, clock())).map(({ filename }) => filename);
}

/** Removes what the retention rules of a project throw away, as one change. @throws RegistryError NOT_FOUND, NOT_PERMITTED */
export function retainProject(
  context: RetentionContext,
  principal: Principal,
  name: string,
): Promise<ChangeOutcome> {
  return changeProject(context, principal, { project: name, verb: 'own' }, async (tx, project, now) => {
    const files = await expired(tx, context.indexDefaults, project, now);
    for (const { id } of files) await markFileRemoved(tx, id, now);
    return {
      kind: 'retention',
      action: 'project.retention',
      subject: project.name,
      detail: { files: files.length, bytes: files.reduce((sum, { length }) => sum + length, 0) },
      files: files.map(({ filename }) => filename),
    };
  });
}

/**
 * Applies the retention rules of an index to every project of it, one change per project that loses something. Gives the outcomes one by
 * one, so that a caller can stop in between.
 */
export async function* retainIndex(
  context: RetentionContext,
  principal: Principal,
): AsyncGenerator<ChangeOutcome> {
  const { db, index, clock, indexDefaults } = context;
  for (let after = 0; ;) {
    const projects = await db
      .selectFrom('projects')
      .select(['id', 'index_id', 'name', 'limits'])
      .where('index_id', '=', index.id)
      .where('removed_at', 'is', null)
      .where('id', '>', after)
      .orderBy('id')
      .limit(PAGE)
      .execute();
    for (const project of projects) {
      // Looking costs no write transaction; what is removed is decided again inside of it.
      if ((await expired(db, indexDefaults, project, clock())).length > 0)
        yield await retainProject(context, principal, project.name);
    }
    const last = projects.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}

const PAGE = 500;
