import { join } from 'node:path';
import { LineProcess } from '../tools/line-process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import type { TufCase } from './tuf-cases.ts';
import { NOW } from './tuf-world.ts';
import type { Operation, TufWorld } from './tuf-world.ts';
import type { Answer, Judge, Verdict } from './verdict.ts';

type PythonVerdict = readonly [accepted: 0 | 1, value: string, message?: string];

/** python-tuf in a process of its own that lives as long as the comparison. */
export class PythonTufJudge implements Judge {
  readonly name = 'python-tuf';
  readonly #process: LineProcess;
  /** Those that python-tuf still knows, the newest last; it keeps four. */
  readonly #worlds: string[] = [];

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** @throws {UnavailableError} where there is no Python */
  static async start(): Promise<PythonTufJudge> {
    const { python } = await pythonTools();
    const script = join(import.meta.dirname, 'tuf_oracle.py');
    return new PythonTufJudge(new LineProcess('python-tuf', python, ['-u', script]));
  }

  async judge(cases: readonly TufCase[]): Promise<readonly Answer[]> {
    for (const each of cases) if (each.kind === 'operations') this.#introduce(each.world);
    const { answers } = (await this.#process.ask({ cases: cases.map(caseJson) })) as { answers: unknown[] };
    return answers.map((answer, index) => readAnswer(answer, cases[index]?.kind));
  }

  close(): void {
    this.#process.close();
  }

  #introduce(world: TufWorld): void {
    if (this.#worlds.includes(world.id)) return;
    this.#worlds.push(world.id);
    this.#worlds.splice(0, this.#worlds.length - 4);
    const docs = Object.fromEntries([...world.documents].map(([name, bytes]) => [name, base64(bytes)]));
    const states = Object.fromEntries(
      [...world.states].map(([name, operations]) => [name, operations.map(operationJson)]),
    );
    this.#process.tell({ world: { id: world.id, time: NOW, docs, states } });
  }
}

function caseJson(each: TufCase): readonly unknown[] {
  switch (each.kind) {
    case 'operations':
      return ['operations', each.world.id, each.state, each.operations.map(operationJson), each.stops];
    case 'canonical':
      return ['canonical', base64(each.json)];
    case 'delegations':
      return ['delegations', base64(each.json), each.paths];
    case 'signature':
      return ['signature', each.key, each.sig, base64(Buffer.from(each.message))];
    case 'client': {
      const files = Object.fromEntries([...each.files].map(([path, bytes]) => [path, base64(bytes)]));
      return ['client', NOW, files, base64(each.root), each.targets];
    }
    case 'patterns':
      return ['patterns', each.pairs];
  }
}

function operationJson([method, document, ...rest]: Operation): readonly unknown[] {
  return [method, typeof document === 'string' ? `@${document}` : base64(document), ...rest];
}

function readAnswer(answer: unknown, kind: TufCase['kind'] | undefined): Answer {
  if (typeof answer === 'object' && answer !== null && 'refused' in answer) {
    return [
      {
        accepted: false,
        error: String(answer.refused),
        message: 'reason' in answer ? String(answer.reason) : '',
      },
    ];
  }
  return kind === 'operations'
    ? (answer as PythonVerdict[]).map(readVerdict)
    : [{ accepted: true, value: answer }];
}

function readVerdict([accepted, value, message]: PythonVerdict): Verdict {
  return accepted === 1
    ? { accepted: true, value }
    : { accepted: false, error: value, message: message ?? '' };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
