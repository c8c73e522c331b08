import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holdCeremony, type CeremonyOptions } from '../../src/ceremony/ceremony.ts';
import { openKeys } from '../../src/ceremony/ceremony-keys.ts';
import { writeFolderOnce } from '../../src/ceremony/durable-folder.ts';
import { parsePlan } from '../../src/ceremony/plan.ts';
import { encodePublicKey } from '../../src/ceremony/public-key-file.ts';
import { generatePrivateKey, KeySigner } from '../../src/keys/key-signer.ts';
import { CheckedSigner } from '../../src/keys/opened-signer.ts';

export const HOLDERS = ['Ada', 'Grace', 'Joan'] as const;

/** People with keys, by name, and ceremonies of them; key URIs are `test:NAME`, public key files are `NAME.pub`. */
export class CeremonyFixture {
  readonly folder: string;
  readonly signers = new Map<string, KeySigner>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(names: readonly string[] = [...HOLDERS, 'online']): Promise<CeremonyFixture> {
    const fixture = new CeremonyFixture(await mkdtemp(join(tmpdir(), 'rind-ceremony-')));
    for (const name of names) await fixture.addKey(name);
    return fixture;
  }

  async addKey(name: string): Promise<KeySigner> {
    const signer = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
    this.signers.set(name, signer);
    return signer;
  }

  signer(name: string): KeySigner {
    const signer = this.signers.get(name);
    if (signer === undefined) throw new Error(`no key ${name}`);
    return signer;
  }

  /** The files of an event, nothing written. */
  async hold(planText: string, options: Partial<CeremonyOptions> & { readonly now: Date }) {
    const planBytes = new TextEncoder().encode(planText);
    const plan = parsePlan(planBytes);
    const keys = await openKeys(plan, {
      open: async (uri, publicKey) => {
        const signer = this.signer(uri.replace(/^test:/, ''));
        return new CheckedSigner(
          uri,
          { key: signer.key, sign: (bytes) => signer.signBytes(bytes) },
          publicKey,
        );
      },
      readPublicKey: async (path) => encodePublicKey(this.signer(path.replace(/\.pub$/, '')).key),
    });
    try {
      return await holdCeremony({ plan, planBytes, keys, program: 'rind test', ...options });
    } finally {
      await keys.close();
    }
  }

  /** An event in a folder of its own; returns its path. */
  async event(
    name: string,
    planText: string,
    options: Partial<CeremonyOptions> & { readonly now: Date },
  ): Promise<string> {
    const path = join(this.folder, name);
    await writeFolderOnce(path, await this.hold(planText, options));
    return path;
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

export interface PlanText {
  readonly holders?: readonly string[];
  /** Their keys are opened in the ceremony; the others sign later. */
  readonly present?: readonly string[];
  readonly rootThreshold?: number;
  readonly bins?: number;
  readonly layout?: string;
  readonly online?: readonly string[];
  readonly oneTime?: number;
  /** Keys of bins that are kept, in place of one-time keys. */
  readonly binsHolders?: readonly string[];
  readonly days?: number;
}

/** A plan as people write it. */
export function planText(options: PlanText = {}): string {
  const {
    holders = HOLDERS,
    present = [],
    rootThreshold = 2,
    bins = 256,
    layout = 'path_hash_prefixes',
  } = options;
  const { online = ['online'], oneTime = 2, binsHolders = [], days = 365 } = options;
  const key = (name: string) =>
    present.includes(name) ? `key = "test:${name}"` : `public-key = "${name}.pub"`;
  const oneTimeRole = (role: string) =>
    `[${role}]\none-time-keys = ${oneTime}\nthreshold = ${oneTime}\nexpires-days = ${days}\n`;
  const keptBins = `[bins]\nthreshold = ${binsHolders.length}\nexpires-days = ${days}\n${binsHolders.map((name) => `[[bins.keys]]\nholder = "${name}"\nkey = "test:${name}"\n`).join('')}`;
  return [
    `format = "rind-ceremony-plan-1"\nprofile = "team"\nexpected-targets = 5000\nnumber-of-bins = ${bins}\nlayout = "${layout}"\nsigning-days = 14\n`,
    `[root]\nthreshold = ${rootThreshold}\nexpires-days = ${days}\n`,
    ...holders.map((name) => `[[root.keys]]\nholder = "${name}"\n${key(name)}\n`),
    oneTimeRole('targets'),
    oneTimeRole('claimed'),
    binsHolders.length > 0 ? keptBins : oneTimeRole('bins'),
    ...online.map((name) => `[[online.keys]]\npublic-key = "${name}.pub"\n`),
  ].join('\n');
}
