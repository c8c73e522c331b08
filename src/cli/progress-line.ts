const BAR_LENGTH = 30;
/** Milliseconds between two states on a terminal, and between two lines elsewhere. */
const ON_TERMINAL = 200;
const ELSEWHERE = 10_000;

/** For commands that timers run as well: on a terminal only, nothing in a log. */
export function terminalProgress(): Pick<ProgressLine, 'show'> | undefined {
  return process.stderr.isTTY ? new ProgressLine() : undefined;
}

/** Shows how far something long is: a bar on a terminal, a line now and then in a log. To stderr. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #shownAt = 0;
  #phase = '';

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show({
    phase,
    done,
    total,
  }: {
    readonly phase: string;
    readonly done: number;
    readonly total: number;
  }): void {
    const now = performance.now();
    const pause = this.#stream.isTTY ? ON_TERMINAL : ELSEWHERE;
    if (phase === this.#phase && done < total && now - this.#shownAt < pause) return;
    this.#shownAt = now;
    this.#phase = phase;
    const share = total === 0 ? 1 : done / total;
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    if (!this.#stream.isTTY) {
      this.#stream.write(`${phase}: ${percent.trim()} (${done} of ${total})\n`);
      return;
    }
    const full = Math.round(share * BAR_LENGTH);
    const bar = `${'#'.repeat(full)}${'.'.repeat(BAR_LENGTH - full)}`;
    this.#stream.write(`\r${phase.padEnd(9)} [${bar}]${percent}`);
    if (done >= total) this.#stream.write('\n');
  }
}
