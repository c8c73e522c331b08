import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { Distribution } from './distribution.ts';

export interface UploadAnswer {
  readonly status: number;
  /** The HTTP reason phrase, which is what twine shows. */
  readonly reason: string;
  readonly body: string;
  readonly milliseconds: number;
}

export interface UploadForm {
  readonly body: Buffer;
  readonly contentType: string;
}

/** The form that twine posts, fields in its order, `content` last. A field of `changes` replaces one, `undefined` removes it. */
export function uploadForm(
  distribution: Distribution,
  changes: Readonly<Record<string, string | undefined>> = {},
): UploadForm {
  const { bytes, filename, kind, name, version } = distribution;
  const fields: Record<string, string | undefined> = {
    name,
    version,
    filetype: kind === 'wheel' ? 'bdist_wheel' : 'sdist',
    pyversion: kind === 'wheel' ? 'py3' : 'source',
    metadata_version: '2.1',
    summary: 'A distribution for the tests of Rind',
    sha256_digest: createHash('sha256').update(bytes).digest('hex'),
    ':action': 'file_upload',
    protocol_version: '1',
    ...changes,
  };
  const boundary = 'rind-tests-7c6f1f0e';
  const parts: Buffer[] = [];
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    parts.push(
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`),
    );
  }
  const disposition = `form-data; name="content"; filename="${filename}"`;
  parts.push(
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: ${disposition}\r\nContent-Type: application/octet-stream\r\n\r\n`,
    ),
    bytes,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  );
  return { body: Buffer.concat(parts), contentType: `multipart/form-data; boundary=${boundary}` };
}

/** Posts upload forms over kept-open connections. */
export class Uploader {
  readonly #agent: Agent;
  readonly #url: URL;
  readonly #authorization: string;

  constructor(uploadUrl: string, token: string, connections = 64) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#url = new URL(uploadUrl);
    this.#authorization = `Basic ${Buffer.from(`__token__:${token}`).toString('base64')}`;
  }

  post(form: UploadForm): Promise<UploadAnswer> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const posting = request(
        this.#url,
        {
          agent: this.#agent,
          method: 'POST',
          headers: {
            authorization: this.#authorization,
            'content-type': form.contentType,
            'content-length': form.body.length,
          },
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => (body += text));
          response.once('error', reject);
          response.once('end', () => {
            const { statusCode = 0, statusMessage = '' } = response;
            resolve({
              status: statusCode,
              reason: statusMessage,
              body,
              milliseconds: performance.now() - started,
            });
          });
        },
      );
      posting.once('error', reject);
      posting.end(form.body);
    });
  }

  upload(distribution: Distribution): Promise<UploadAnswer> {
    return this.post(uploadForm(distribution));
  }

  close(): void {
    this.#agent.destroy();
  }
}
