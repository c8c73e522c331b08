import { readFile, rename, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../tools/certificate.ts';
import { makeWheel } from '../tools/distribution.ts';
import { run } from '../tools/process.ts';
import { buildRind, checkout, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { uploadForm } from '../tools/upload.ts';

const METRICS_TOKEN = 'canary-token-of-the-metrics';
const WEBHOOK = 'https://hooks.invalid/canary-webhook';
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let server: RindServer;
const at = (name: string): string => join(scratch.path, name);

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  readonly fingerprint: string;
}

function ask(
  path: string,
  headers: Record<string, string> = {},
  { ca = tls.value, body }: { readonly ca?: string; readonly body?: Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(new URL(path, server.url), { method, headers, ca, agent: false }, (response) => {
      const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
      const chunks: Buffer[] = [];
      response
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            text,
            headers: response.headers,
            fingerprint: fingerprint256,
          });
        });
    });
    sent.on('error', reject).end(body);
  });
}

const tls = whenAvailable(async () => {
  await buildRind();
  scratch = await scratchFolder('operations');
  const ca = await makeCertificate(scratch.path);
  await writeFile(at('metrics.token'), `${METRICS_TOKEN}\n`);
  await writeFile(
    at('rind.toml'),
    [
      '[server]',
      'port = 0',
      'trusted-proxies = ["127.0.0.1"]',
      `data = "${at('data')}"`,
      '[tls]',
      `certificate = "${at('cert.pem')}"`,
      `key = "${at('key.pem')}"`,
      '[log]',
      'level = "info"',
      `access = "${at('access.log')}"`,
      '[metrics]',
      `token-file = "${at('metrics.token')}"`,
      '[reminders]',
      `webhook = "${WEBHOOK}"`,
      '[uploads]',
      'prohibited-names = ["acme-*"]',
    ].join('\n'),
  );
  return ca;
});
beforeAll(async () => {
  if (!tls.present) return;
  const env = { RIND_CONFIG: at('rind.toml') };
  // startProgram and not start: data folder and port come from the file.
  const program = [join(import.meta.dirname, '../../dist/cli/main.js'), 'serve'];
  server = await RindServer.startProgram(process.execPath, program, { folder: at('data'), env });
});
afterAll(async () => {
  await server?.stop();
  await scratch?.remove();
});

async function upload(name: string): Promise<Answer> {
  const { body, contentType } = uploadForm(makeWheel({ name, version: '1' }));
  const authorization = `Basic ${Buffer.from(`__token__:${server.token}`).toString('base64')}`;
  return ask(
    'legacy/',
    { authorization, 'content-type': contentType, 'content-length': String(body.length) },
    { body },
  );
}

describe('rind serve with a rind.toml', () => {
  it('speaks TLS with the certificate of the file, is ready, and takes uploads under the policy of the file', async () => {
    expect(server.url).toMatch(/^https:/);
    expect((await ask('healthz')).text).toBe('ok\n');
    expect(await ask('readyz')).toMatchObject({
      status: 200,
      text: 'database ok\nstore ok\ntimestamp ok\npublisher ok\n',
    });
    expect(await upload('kept')).toMatchObject({ status: 200 });
    expect(await upload('acme-kept')).toMatchObject({ status: 400 });
  });

  it('tells its metrics to whoever has the token', async () => {
    expect((await ask('metrics')).status).toBe(401);
    const { status, text } = await ask('metrics', { authorization: `Bearer ${METRICS_TOKEN}` });
    expect(status).toBe(200);
    for (const line of [
      /^rind_uploads_total\{outcome="stored"\} 1$/m,
      /^rind_uploads_total\{outcome="refused"\} 1$/m,
      /^rind_publish_latency_seconds_count 1$/m,
      /^rind_publication_queue_age_seconds\{index=""\} 0$/m,
      /^rind_role_days_to_expiry\{index="",role="root"\} 36[45]/m,
      /^rind_role_days_to_expiry\{index="",role="timestamp"\} [67]/m,
      /^rind_role_days_to_expiry\{index="",role="bin-n"\} [67]/m,
      /^rind_responses_total\{class="4xx"\} [1-9]/m,
      /^rind_publisher_up 1$/m,
      /^rind_event_loop_delay_seconds\{quantile="1"\} /m,
    ])
      expect(text).toMatch(line);
    await expect
      .poll(async () => (await ask('metrics', { authorization: `Bearer ${METRICS_TOKEN}` })).text)
      .toMatch(/^rind_signer_latency_seconds_count [1-9]/m);
  });

  it('writes one line per request and no secret anywhere', async () => {
    await ask('simple/kept/?token=canary-query', {
      'x-forwarded-for': '198.51.100.7',
      'x-request-id': 'a-request-of-mine',
      cookie: 'canary-cookie',
      authorization: `Bearer ${server.token}`,
    });
    await expect.poll(() => readFile(at('access.log'), 'utf8')).toContain('a-request-of-mine');
    const log = await readFile(at('access.log'), 'utf8');
    const line = log.split('\n').find((one) => one.includes('a-request-of-mine')) ?? '';
    expect(JSON.parse(line)).toMatchObject({
      address: '198.51.100.7',
      scheme: 'https',
      path: '/simple/kept/',
      status: 200,
    });
    const everything = `${log}${server.output}`;
    for (const secret of [server.token, METRICS_TOKEN, 'canary-query', 'canary-cookie', 'canary-webhook'])
      expect(everything.includes(secret), secret).toBe(false);
    expect(everything.includes(Buffer.from(`__token__:${server.token}`).toString('base64'))).toBe(false);
  });

  it('on SIGHUP shows the new certificate and opens its access log anew, and stays up', async () => {
    const before = (await ask('healthz')).fingerprint;
    await rename(at('access.log'), at('access.log.1'));
    const renewed = await makeCertificate(scratch.path);
    process.kill(server.pid, 'SIGHUP');
    await expect.poll(() => server.output).toContain('settings read again');
    const { fingerprint, status } = await ask('healthz', {}, { ca: renewed });
    expect(status).toBe(200);
    expect(fingerprint).not.toBe(before);
    await expect.poll(() => readFile(at('access.log'), 'utf8')).toContain('/healthz');
    await writeFile(at('key.pem'), 'no key');
    process.kill(server.pid, 'SIGHUP');
    await expect.poll(() => server.output).toContain('those before hold');
    expect((await ask('healthz', {}, { ca: renewed })).status).toBe(200);
  });

  it('ends in order when it is asked to', async () => {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.output).toContain('stopping');
  });
});

describe('rind config', () => {
  it('check names everything that is wrong, for people and for programs', async () => {
    await writeFile(at('wrong.toml'), '[server]\nprot = 1\n[gc]\ninterval = 3\n');
    const said = await rind(['config', 'check', '--config', at('wrong.toml')]);
    expect(said.code).toBe(2);
    expect(said.stderr).toContain('line 2: there is no key server.prot; did you mean port?');
    const { code, stdout } = await rind(['config', 'check', '--json', '--config', at('wrong.toml')]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      problems: [expect.any(String), expect.any(String)],
    });
    const served = await rind(['serve', '--config', at('wrong.toml')]);
    expect(served.code).toBe(2);
    expect(served.stderr).toContain('server.prot');
  });

  it('show tells what holds and where it is from, without secrets', async () => {
    const env = { RIND_LIMITS_MAX_UPLOADS: '7' };
    const { code, stdout } = await rind(['config', 'show', '--config', at('rind.toml')], { env });
    expect(code).toBe(0);
    expect(stdout).toContain('max-uploads = 7  # environment');
    expect(stdout).toContain('webhook = "[redacted]"  # file');
    expect(stdout).not.toContain('canary-webhook');
  });
});

describe('the systemd unit', () => {
  const analyze = whenAvailable(async () => {
    const version = await run('systemd-analyze', ['--version']).catch(() => undefined);
    if (version?.code !== 0) throw new UnavailableError('systemd-analyze is not installed');
    return 'systemd-analyze';
  });

  it('is one that systemd understands', async () => {
    const { code, output } = await run(analyze.value, [
      'verify',
      '--man=no',
      join(checkout, 'packaging/rind.service'),
    ]);
    expect(output).toBe('');
    expect(code).toBe(0);
  });
});
