import { installSteps, uploadSteps, type SetupStep, type SetupValues } from '../web/setup-lines.ts';
import type { TrialSecrets } from './trial-repository.ts';

/** What the first start of a trial tells. */
export function trialMessage(folder: string): string {
  return [
    `A trial repository was made in ${folder}: it signs everything, but its offline keys were made on this machine`,
    'and one key is enough for its root. This is for trying out; a key ceremony is the real way (docs/adr/0010).',
  ].join('\n');
}

/** The secrets themselves, for a terminal: they are on no disk. */
export function shownSecrets({ uploadToken, offlinePassphrase }: TrialSecrets): string {
  return [
    'Shown once and kept nowhere, write them down:',
    `  upload token                    ${uploadToken}`,
    `  passphrase of the offline keys  ${offlinePassphrase}`,
  ].join('\n');
}

/** Where the secrets lie, for everything that is no terminal. */
export function keptSecrets(paths: readonly { readonly what: string; readonly path: string }[]): string {
  const width = Math.max(...paths.map(({ what }) => what.length));
  return [
    'Kept in files that only you can read:',
    ...paths.map(({ what, path }) => `  ${what.padEnd(width)}  ${path}`),
  ].join('\n');
}

/** The lines ready to paste. */
export function setupMessage(values: SetupValues): string {
  return [
    'Upload:',
    ...uploadSteps(values).flatMap(stepLines),
    'Install, verified:',
    ...installSteps(values).flatMap(stepLines),
  ].join('\n');
}

function stepLines({ tool, purpose, lines }: SetupStep): string[] {
  return [`  # ${tool}: ${purpose}`, ...lines.map((line) => `  ${line}`)];
}
