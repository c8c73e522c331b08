import { homedir } from 'node:os';
import { readProxyAddress } from '../../proxy/proxy-address.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { serviceAddressPath } from '../proxy-service.ts';
import { resolveTrust } from '../resolve-trust.ts';
import { print, say } from '../terminal.ts';
import type { Finding, Surroundings } from './finding.ts';
import { examineCaches, examineProject } from './project-files.ts';
import { asksProxy, examineSettings } from './settings-files.ts';
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
  verified: 'rind run lets through what is signed now, and nothing else',
  'not seen': 'rind run does not start with it',
  apart: 'rind run has caches of its own',
} as const;

/**
 * `rind doctor`: finds what goes around the verification when installers are started by themselves, and says what `rind run` does about it.
 *
 * @returns 1 when there is anything
 */
export async function diagnose(asJson: boolean): Promise<ExitCode> {
  const proxy = await proxyUrl();
  const trusted = await trustedUrls(proxy);
  const surroundings = { folder: process.cwd(), home: homedir(), environment: process.env, trusted };
  const findings = await examine(surroundings);
  const around = findings.filter(({ severity }) => severity === 'around');
  if (asJson) print(JSON.stringify({ trusted, findings }, undefined, 2));
  else {
    for (const { severity, place, what, underRun, remedy } of findings) {
      print(`${severity === 'note' ? 'note' : 'around'}  ${place}`);
      print(`  ${what}`);
      print(`  ${UNDER_RUN[underRun]}. ${remedy}`);
    }
  }
  if (proxy === undefined || !(await asksProxy(proxy, surroundings))) {
    say('note: an installer that is started by itself verifies nothing, not even from a trusted index');
    say(
      proxy === undefined
        ? 'hint: rind pip, rind uv, … verify; so does everything after rind proxy install --user and rind client setup'
        : 'hint: rind client setup has it ask the proxy that keeps running; rind pip, rind uv, … verify without',
    );
  }
  if (trusted.length === 0) say('note: no index is trusted here, so every source counts as unverified');
  const count = around.length === 1 ? '1 way' : `${around.length} ways`;
  say(around.length === 0 ? 'nothing goes around rind run' : `${count} around the verification`);
  return around.length === 0 ? EXIT.ok : EXIT.failure;
}

/** Of the proxy that keeps running, if one was set up. */
async function proxyUrl(): Promise<string | undefined> {
  const { port, token } = await readProxyAddress(serviceAddressPath());
  return port === 0 ? undefined : `http://127.0.0.1:${port}/${token}/`;
}

async function trustedUrls(proxy: string | undefined): Promise<readonly string[]> {
  const own = proxy === undefined ? [] : [proxy];
  try {
    const { indexes } = await resolveTrust(process.cwd());
    return [...indexes.map(({ url }) => url), ...own];
  } catch (error) {
    say(`note: ${error instanceof Error ? error.message : String(error)}`);
    return own;
  }
}
