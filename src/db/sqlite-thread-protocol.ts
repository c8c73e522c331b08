import type { ConnectionOptions, StatementResult } from './sqlite-connection.ts';

/** What the caller asks of the thread; each request has exactly one reply with the same id. */
export type ThreadRequest =
  | { readonly id: number; readonly kind: 'open'; readonly options: ConnectionOptions }
  | {
      readonly id: number;
      readonly kind: 'execute';
      readonly session: number;
      readonly sql: string;
      readonly parameters: readonly unknown[];
    }
  | { readonly id: number; readonly kind: 'close'; readonly session: number };

/** `session` answers 'open', `result` answers 'execute'. */
export type ThreadReply =
  | { readonly id: number; readonly session: number }
  | { readonly id: number; readonly result: StatementResult }
  | { readonly id: number; readonly closed: true }
  | { readonly id: number; readonly error: ThreadError };

/** What of an error survives the way between threads. */
export interface ThreadError {
  readonly message: string;
  readonly errcode: number | undefined;
}
