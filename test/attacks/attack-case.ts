import type { VerdictCode } from '../../src/proxy/verdict.ts';
import type { Key } from '../../src/tuf/key.ts';
import type { Shown } from './malicious-mirror.ts';
import type { Scene } from './scene.ts';
import type { World } from './world.ts';

/** A private key somebody has. */
export interface HeldKey {
  readonly key: Key;
  signBytes(bytes: Uint8Array): Promise<Uint8Array>;
}

/** What must come of an attack; written before anything was run. */
export type Expected =
  /**
   * Nothing is installed. The code is that of the verdict; `absent`: the index says, signed, that there is no such thing;
   * `other host`: what is no trusted index is not asked; `not started`: the installer was not even started.
   */
  | { readonly verdict: 'rejected'; readonly code: VerdictCode | 'absent' | 'other host' | 'not started' }
  /** The right file is installed: what the attacker changed is not looked at. */
  | { readonly verdict: 'no effect' }
  /** No single client can see it: what it installs, and what bounds it. */
  | { readonly verdict: 'bounded'; readonly by: string; readonly installs: string };

/** What the user's installer is asked for, beside the project's name. */
export interface Call {
  /** Further arguments of `pip install`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files written into the working folder first. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** The project's name is not among the arguments: a requirements file or a URL names it. */
  readonly isNamed?: boolean;
}

export interface AttackCase {
  /** Unique, kebab-case. */
  readonly id: string;
  /** What the attacker does, in one clause. */
  readonly does: string;
  readonly expected: Expected;
  /**
   * What the client has verified before: `nothing` but the root it was set up with, the state `old`, or the newest one.
   * `old` when left out, so that whatever was published since has to be fetched.
   */
  readonly before?: 'nothing' | 'old' | 'new';
  /** The project to install; `wheely` when left out. */
  readonly wanted?: string;
  /** An old installer: it reads HTML pages and no metadata beside files. */
  readonly readsHtml?: boolean;
  /** How the client's clock differs, in milliseconds. Only where the client runs in this process. */
  readonly clock?: number;
  /** Milliseconds of patience of the client, where it runs in this process; the attack takes longer with a real one. */
  readonly patience?: number;
  /** Takes long because of its size: not in the test suite. */
  readonly isLong?: boolean;
  /** What he shows is in part signed with a real key and believed: the benign twin is a client that starts again. */
  readonly isBelieved?: boolean;
  /** The client never looks at what was changed. */
  readonly isUnseen?: boolean;
  /** The index is reached over https; while the attack lasts, its server shows this certificate. */
  readonly certificate?: (world: World) => Shown;
  /** The index is reached over https. */
  readonly isSecure?: boolean;
  /**
   * What the mirror showed before to an installer that was started by itself in the same home and has its caches; the installer
   * has to be a real one.
   */
  readonly earlier?: (scene: Scene, world: World) => void | Promise<void>;
  /** It was started by `rind run` with verification switched off. */
  readonly wasUnverified?: boolean;
  /** Sets up the attack in a scene that shows the newest state. */
  readonly attack: (scene: Scene, world: World) => void | Promise<void>;
  /** The benign twin: the same kind of thing done by an honest index. Without it, the newest state as it is. */
  readonly twin?: (scene: Scene, world: World) => void | Promise<void>;
  /** What the installer is called with; such a case needs a real installer. */
  readonly call?: (scene: Scene, world: World) => Call;
  /** Where `rind proxy` cannot help, because the installer asks somebody else: what is done about it instead. */
  readonly beyondProxy?: string;
}

export interface AttackSection {
  readonly title: string;
  readonly cases: readonly AttackCase[];
}

export const rejected = (code: (Expected & { verdict: 'rejected' })['code']): Expected => ({
  verdict: 'rejected',
  code,
});

export const noEffect: Expected = { verdict: 'no effect' };

export const bounded = (installs: string, by: string): Expected => ({ verdict: 'bounded', by, installs });
