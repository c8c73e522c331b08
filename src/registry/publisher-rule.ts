import { RegistryError } from './errors.ts';
import type { IssuerKind } from './publishing-settings.ts';

/** Which workflow a publisher is. */
export type PublisherRule =
  | {
      readonly kind: 'github';
      readonly owner: string;
      readonly repository: string;
      /** A file in `.github/workflows`. */
      readonly workflow: string;
      readonly environment?: string;
      /** GitHub's number of the owner: a name that changed hands is not enough then. */
      readonly ownerId?: string;
    }
  | {
      readonly kind: 'gitlab';
      /** Group and subgroups, parted by slashes, or a user. */
      readonly namespace: string;
      readonly project: string;
      /** The path of the CI configuration, usually `.gitlab-ci.yml`. */
      readonly workflow: string;
      readonly environment?: string;
    }
  /** Every claim named must be exactly that text. */
  | { readonly kind: 'claims'; readonly claims: Readonly<Record<string, string>> };

/** The claims of a verified identity token. */
export type Claims = Readonly<Record<string, unknown>>;

/** Whether the claims are those of the publisher's workflow. `host` is the issuer's. */
export function matchesRule(rule: PublisherRule, claims: Claims, host: string): boolean {
  switch (rule.kind) {
    case 'github':
      return matchesGitHub(rule, claims);
    case 'gitlab':
      return matchesGitLab(rule, claims, host);
    case 'claims':
      return Object.entries(rule.claims).every(([name, value]) => text(claims, name) === value);
  }
}

function matchesGitHub(rule: Extract<PublisherRule, { kind: 'github' }>, claims: Claims): boolean {
  const repository = `${rule.owner}/${rule.repository}`;
  const file = `${text(claims, 'repository') ?? ''}/.github/workflows/${rule.workflow}`;
  const workflow = text(claims, 'job_workflow_ref');
  return (
    same(text(claims, 'repository_owner'), rule.owner) &&
    same(text(claims, 'repository'), repository) &&
    (rule.ownerId === undefined || text(claims, 'repository_owner_id') === rule.ownerId) &&
    (workflow === `${file}@${text(claims, 'ref')}` || workflow === `${file}@${text(claims, 'sha')}`) &&
    // Such a run works for whoever opens a pull request.
    text(claims, 'event_name') !== 'pull_request_target' &&
    (rule.environment === undefined || same(text(claims, 'environment'), rule.environment))
  );
}

function matchesGitLab(
  rule: Extract<PublisherRule, { kind: 'gitlab' }>,
  claims: Claims,
  host: string,
): boolean {
  const path = text(claims, 'project_path') ?? '';
  const file = `${host}/${path}//${rule.workflow}`;
  const configuration = text(claims, 'ci_config_ref_uri');
  return (
    same(path, `${rule.namespace}/${rule.project}`) &&
    (configuration === `${file}@${text(claims, 'ref_path')}` ||
      configuration === `${file}@${text(claims, 'sha')}`) &&
    (rule.environment === undefined || same(text(claims, 'environment'), rule.environment))
  );
}

/** An own claim that is text; numbers and truth values as JSON writes them. */
function text(claims: Claims, name: string): string | undefined {
  if (!Object.hasOwn(claims, name)) return undefined;
  const value = claims[name];
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** Names of owners, repositories and environments differ in no more than case. */
function same(value: string | undefined, expected: string): boolean {
  return value !== undefined && value.toLowerCase() === expected.toLowerCase();
}

const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,98}[A-Za-z0-9_.-])?$/;
const PATH = /^[A-Za-z0-9_.](?:[A-Za-z0-9_./-]{0,253}[A-Za-z0-9_.-])?$/;
const WORKFLOW = /\.ya?ml$/;
const MOST_CLAIMS = 20;
const LONGEST_CLAIM = 500;

/** Refuses a rule that cannot match, or could match more than was meant. @throws RegistryError INVALID_REQUEST */
export function checkRule(rule: PublisherRule, kind: IssuerKind): void {
  if (rule.kind !== kind) throw refusal(`The publishers of this issuer are of the kind '${kind}'.`);
  if (rule.kind === 'claims') return checkClaims(rule.claims);
  const [space, name] =
    rule.kind === 'github' ? [rule.owner, rule.repository] : [rule.namespace, rule.project];
  if (!PATH.test(space) || (rule.kind === 'github' && !NAME.test(space)) || !NAME.test(name)) {
    throw refusal('The owner or the repository is not one.');
  }
  const isWorkflow =
    PATH.test(rule.workflow) && WORKFLOW.test(rule.workflow) && !rule.workflow.includes('..');
  if (!isWorkflow || (rule.kind === 'github' && rule.workflow.includes('/'))) {
    throw refusal('The workflow is the name of a file that ends in .yml or .yaml.');
  }
  if (rule.environment !== undefined && !NAME.test(rule.environment)) {
    throw refusal('The environment has a name of at most 100 letters and digits.');
  }
  if (rule.kind === 'github' && rule.ownerId !== undefined && !/^[0-9]{1,15}$/.test(rule.ownerId)) {
    throw refusal('The number of the owner is a number.');
  }
}

function checkClaims(claims: Readonly<Record<string, string>>): void {
  const entries = Object.entries(claims);
  if (!Object.hasOwn(claims, 'sub') || entries.length > MOST_CLAIMS) {
    throw refusal(`The claims of a publisher are at most ${MOST_CLAIMS}, and 'sub' is one of them.`);
  }
  for (const [name, value] of entries) {
    if (name.length > 100 || value === '' || value.length > LONGEST_CLAIM) {
      throw refusal(`A claim is a text of 1 to ${LONGEST_CLAIM} characters.`);
    }
  }
}

function refusal(message: string): RegistryError {
  return new RegistryError('INVALID_REQUEST', message);
}
