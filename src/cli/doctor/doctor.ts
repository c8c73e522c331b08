import { homedir } from 'node:os';
import { readProxyAddress } from '../../proxy/proxy-address.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { serviceAddressPath } from '../proxy-service.ts';
import { resolveTrust } from '../resolve-trust.ts';
import { print, say } from '../terminal.ts';
import type { Finding, Surroundings } from './finding.ts';
import { examineCaches, examineProject } from './project-files.ts';
import { examineSettings } from './settings-files.ts';
import { examineVariables } from './variables.ts';

/** Everything in this folder and on this machine that leads around the verification. */
export async function examine(surroundings: Surroundings): Promise<readonly Finding[]> {
  const findings = [
    ...examineVariables(surroundings),
    ...(await examineSettings(surroundings)),
    ...(await examineProject(surroundings)),
    ...(await examineCaches(surroundings)),
  ];
  const distinct = new Map(findings.map((finding) => [`${finding.place} ${finding.what}`, finding]));
  return [...distinct.values()].toSorted(
    (a, b) => Number(a.severity === 'note') - Number(b.severity === 'note'),
  );
}

const UNDER_RUN = {
  'left out': 'rind run leaves it out',
  refused: 'rind run refuses it',
  'not seen': 'rind run does not start with it',
  'no matter': 'no matter for rind run',
} as const;

/**
 * `rind doctor`: finds what goes around the verification when installers are started by themselves, and says what `rind run` does about it.
 *
 * @returns 1 when there is anything
 */
export async function diagnose(asJson: boolean): Promise<ExitCode> {
  const trusted = await trustedUrls();
  const findings = await examine({
    folder: process.cwd(),
    home: homedir(),
    environment: process.env,
    trusted,
  });
  const around = findings.filter(({ severity }) => severity === 'around');
  if (asJson) print(JSON.stringify({ trusted, findings }, undefined, 2));
  else {
    for (const { severity, place, what, underRun, remedy } of findings) {
      print(`${severity === 'note' ? 'note' : 'around'}  ${place}`);
      print(`  ${what}`);
      print(`  ${UNDER_RUN[underRun]}. ${remedy}`);
    }
  }
  if (trusted.length === 0) say('note: no index is trusted here, so every source counts as unverified');
  const count = around.length === 1 ? '1 way' : `${around.length} ways`;
  say(around.length === 0 ? 'nothing goes around the verification' : `${count} around the verification`);
  return around.length === 0 ? EXIT.ok : EXIT.failure;
}

async function trustedUrls(): Promise<readonly string[]> {
  const { port, token } = await readProxyAddress(serviceAddressPath());
  const proxy = port === 0 ? [] : [`http://127.0.0.1:${port}/${token}/`];
  try {
    const { indexes } = await resolveTrust(process.cwd());
    return [...indexes.map(({ url }) => url), ...proxy];
  } catch (error) {
    say(`note: ${error instanceof Error ? error.message : String(error)}`);
    return proxy;
  }
}
