import type { IncomingMessage, ServerResponse } from 'node:http';
import { MintError } from '../registry/identity-token.ts';
import { burnToken, mintToken, type MintContext } from '../registry/mint-token.ts';
import type { Slot } from './admission.ts';
import { readJsonBody } from './api/json-body.ts';
import type { Guard } from './guard.ts';
import { ProblemError } from './problem.ts';
import { sendJson } from './send-json.ts';

const MAX_BODY_SIZE = 32 * 1024;

/** PyPI's API of trusted publishing: which audience to ask for, and an upload token for an identity token. */
export class TrustedPublishing {
  readonly #context: MintContext;
  readonly #guard: Guard;

  constructor(context: MintContext, guard: Guard) {
    this.#context = context;
    this.#guard = guard;
  }

  /** `GET /_/oidc/audience` */
  audience(request: IncomingMessage, response: ServerResponse): void {
    sendJson(response, 200, { audience: this.#context.audience() }, request.method === 'HEAD');
  }

  /** `POST /_/oidc/mint-token`: 200 with a token, 422 with PyPI's codes. @throws RegistryError, ProblemError */
  async mint(request: IncomingMessage, response: ServerResponse, slot?: Slot): Promise<void> {
    this.#guard.limitUnknown(request);
    try {
      const body = await receive(request, slot);
      const { token, expires } = await mintToken(this.#context, tokenOf(body));
      const seconds = Math.floor(expires.getTime() / 1000);
      sendJson(response, 200, { success: true, token, expires: seconds });
    } catch (error) {
      const { code, message: description } = asMintError(error);
      sendJson(response, 422, { message: 'Token request failed', errors: [{ code, description }] });
    }
  }

  /** `POST /_/oidc/burn-token`: what uv sends when it is done, so that the token is good for nothing from then on. @throws RegistryError, ProblemError */
  async burn(request: IncomingMessage, response: ServerResponse, slot?: Slot): Promise<void> {
    this.#guard.limitUnknown(request);
    const body = await receive(request, slot);
    // The same answer to every text: nobody learns which tokens there are.
    const token = tokenIn(body);
    if (token !== undefined) await burnToken(this.#context, token);
    sendJson(response, 200, { success: true });
  }
}

/** Whatever its content type says: pipelines send it with `curl -d`, and no browser has anything to add to it. */
function receive(request: IncomingMessage, slot: Slot | undefined): Promise<unknown> {
  const receiving = (): Promise<unknown> => readJsonBody(request, MAX_BODY_SIZE, { anyType: true });
  return slot === undefined ? receiving() : slot.receive(receiving);
}

/** A body that is no JSON is answered as PyPI does. @throws whatever else it is */
function asMintError(error: unknown): MintError {
  if (error instanceof MintError) return error;
  if (error instanceof ProblemError && error.problem.status === 400)
    return new MintError('invalid-payload', error.message);
  throw error;
}

function tokenIn(body: unknown): string | undefined {
  const token =
    typeof body === 'object' && body !== null && Object.hasOwn(body, 'token')
      ? (body as { readonly token: unknown }).token
      : undefined;
  return typeof token === 'string' && token !== '' ? token : undefined;
}

function tokenOf(body: unknown): string {
  const token = tokenIn(body);
  if (token !== undefined) return token;
  throw new MintError('invalid-payload', 'The body has no text under the key token.');
}
