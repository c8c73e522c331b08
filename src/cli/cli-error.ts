import { EXIT, type ExitCode } from './exit-codes.ts';

/** Ends a command with one `error:` line, its `hint:` lines and an exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: 'failure' | 'usage' | 'verification';
  readonly hints: readonly string[];

  constructor(
    code: 'failure' | 'usage' | 'verification',
    message: string,
    hints: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.hints = hints;
  }

  get exitCode(): ExitCode {
    return EXIT[this.code];
  }
}
