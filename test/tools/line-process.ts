import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cleanEnvironment, killProcess, startProcess } from './process.ts';

/** A program that answers each line of JSON with one, in their order, as long as it lives. */
export class LineProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #stderr = '';

  /** @param name what an error calls it */
  constructor(name: string, command: string, args: readonly string[]) {
    this.#name = name;
    this.#child = startProcess(command, args, { env: cleanEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.#child;
    stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    if (stdout !== null)
      createInterface({ input: stdout }).on('line', (line) => this.#waiting.shift()?.resolve(line));
    this.#child.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(this.#ended());
    });
  }

  async ask(request: object): Promise<unknown> {
    if (this.#child.exitCode !== null) throw this.#ended();
    const line = new Promise<string>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.tell(request);
    return JSON.parse(await line) as unknown;
  }

  /** For what is not answered. */
  tell(request: object): void {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  close(): void {
    killProcess(this.#child);
  }

  #ended(): Error {
    return new Error(`${this.#name} ended\n${this.#stderr}`);
  }
}
