import { z } from 'zod';
import type { Executor, IndexRow, ProjectRow } from '../db/schema.ts';
import { quote } from '../pypi/errors.ts';
import { RegistryError } from './errors.ts';
import { retentionForm, type RetentionRules } from './retention-rules.ts';
import {
  limitsForm,
  PRIVATE_UPLOAD_POLICY,
  PUBLIC_LIMITS,
  PUBLIC_UPLOAD_POLICY,
  uploadPolicyForm,
  type Limits,
  type UploadPolicy,
} from './upload-policy.ts';

/** What an index is told, complete. */
export interface IndexSettings {
  /** Decides what everything that is not set means. */
  readonly kind: 'private' | 'public';
  readonly upload: UploadPolicy;
  readonly limits: Limits;
  readonly retention: RetentionRules;
}

/** What a project is told beyond its index. */
export type ProjectLimits = z.infer<typeof projectForm>;

/** Settings as they are stored and set: only what was said. */
export type IndexSettingsForm = z.infer<typeof settingsForm>;

const settingsForm = z.strictObject({
  kind: z.enum(['private', 'public']).optional(),
  upload: uploadPolicyForm.optional(),
  limits: limitsForm.optional(),
  retention: retentionForm.optional(),
});
const projectForm = z.strictObject({ limits: limitsForm.optional(), retention: retentionForm.optional() });

/** The settings of an index, over those of the server. Reads one row, so that a change counts from the next upload on. */
export async function settingsOf(
  db: Executor,
  indexId: number,
  defaults?: IndexSettingsForm,
): Promise<IndexSettings> {
  const row = await db
    .selectFrom('indexes')
    .select('settings')
    .where('id', '=', indexId)
    .executeTakeFirstOrThrow();
  return completeSettings(overDefaults(storedSettings(row), defaults));
}

/** What was said of an index, over what was said of all of them. */
function overDefaults(said: IndexSettingsForm, defaults: IndexSettingsForm | undefined): IndexSettingsForm {
  if (defaults === undefined) return said;
  // An index of another kind than the server's was told so: then its kind decides, not the server's settings.
  if (said.kind !== undefined && said.kind !== (defaults.kind ?? 'private')) return said;
  return {
    kind: said.kind ?? defaults.kind,
    upload: { ...defaults.upload, ...said.upload },
    limits: { ...defaults.limits, ...said.limits },
    retention: { ...defaults.retention, ...said.retention },
  };
}

/** What was said of an index. */
export function storedSettings({ settings }: Pick<IndexRow, 'settings'>): IndexSettingsForm {
  return settings === null ? {} : settingsForm.parse(JSON.parse(settings));
}

/** What was said of a project. */
export function storedLimits({ limits }: Pick<ProjectRow, 'limits'>): ProjectLimits {
  return limits === null ? {} : projectForm.parse(JSON.parse(limits));
}

/** With everything that was not said. */
export function completeSettings(form: IndexSettingsForm): IndexSettings {
  const { kind = 'private', upload = {}, limits = {}, retention = {} } = form;
  const isPublic = kind === 'public';
  return {
    kind,
    // What was read from JSON has no key without a value.
    upload: Object.assign({}, isPublic ? PUBLIC_UPLOAD_POLICY : PRIVATE_UPLOAD_POLICY, upload),
    limits: { ...(isPublic ? PUBLIC_LIMITS : {}), ...limits },
    retention,
  };
}

/** The limits and rules that hold for a project: its own before those of its index. */
export function settingsForProject(
  settings: IndexSettings,
  project: Pick<ProjectRow, 'limits'> | undefined,
): Pick<IndexSettings, 'limits' | 'retention'> {
  const own = project === undefined ? {} : storedLimits(project);
  return {
    limits: { ...settings.limits, ...own.limits },
    retention: { ...settings.retention, ...own.retention },
  };
}

/** Reads settings that somebody wants. `null` at a key takes it back to the default. @throws RegistryError INVALID_REQUEST */
export function changedSettings(before: IndexSettingsForm, change: unknown): IndexSettingsForm {
  return parsed(settingsForm, merged(before, change));
}

/** As {@link changedSettings}, of a project. @throws RegistryError INVALID_REQUEST */
export function changedLimits(before: ProjectLimits, change: unknown): ProjectLimits {
  return parsed(projectForm, merged(before, change));
}

function parsed<Form>(form: z.ZodType<Form>, value: unknown): Form {
  const result = form.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new RegistryError(
    'INVALID_REQUEST',
    issue === undefined ? 'The settings cannot be taken.' : told(issue),
  );
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a group of settings'],
  ['string', 'a text'],
]);

/** What is wrong with a setting, and what it has to be. */
function told(issue: z.core.$ZodIssue): string {
  const place = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const name = [...issue.path, issue.keys[0] ?? ''].join('.');
    return `There is no setting ${quote(name)}: docs/projects.md has the list.`;
  }
  return `The setting ${place} cannot be taken: ${reasonOf(issue)}.`;
}

function reasonOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `it has to be ${KINDS.get(issue.expected) ?? issue.expected}`;
    case 'too_small':
      return `it has to be at least ${issue.minimum}`;
    case 'too_big':
      return `it has to be at most ${issue.maximum}`;
    case 'invalid_value':
      return `it has to be one of ${issue.values.map(String).join(', ')}`;
    default:
      return issue.message;
  }
}

/** One level deep: the sections are changed, not replaced. */
function merged(before: object, change: unknown): Record<string, unknown> {
  const result = new Map<string, unknown>(Object.entries(before));
  for (const [key, value] of Object.entries(asRecord(change))) {
    if (value === null) result.delete(key);
    else if (typeof value === 'object' && !Array.isArray(value)) {
      const section = new Map<string, unknown>(Object.entries(asRecord(result.get(key) ?? {})));
      for (const [name, one] of Object.entries(value)) {
        if (one === null) section.delete(name);
        else section.set(name, one);
      }
      result.set(key, Object.fromEntries(section));
    } else result.set(key, value);
  }
  return Object.fromEntries(result);
}

function asRecord(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new RegistryError('INVALID_REQUEST', 'Settings are a JSON object.');
}
