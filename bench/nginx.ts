/** nginx as a plain reverse proxy: the yardstick. One process, no logs, connections to the upstream kept. */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { start, temporaryDirectory } from './processes.ts'

const program = '/usr/sbin/nginx'
const installLine = 'sudo apt-get install -y --no-install-recommends nginx-light'

const configuration = (directory: string, port: number, upstreamPort: number) => `
daemon off;
master_process off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  tcp_nodelay on;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  upstream stub {
    server 127.0.0.1:${upstreamPort};
    keepalive 4096;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://stub;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_read_timeout 600s;
      # A 50 KB answer fits in memory; nothing goes through a file.
      proxy_buffers 16 8k;
      proxy_max_temp_file_size 0;
    }
  }
}
`

export function startNginx(port: number, upstreamPort: number): number {
  if (!existsSync(program)) install()
  const directory = temporaryDirectory()
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, configuration(directory, port, upstreamPort))
  const child = start(program, ['-p', directory, '-c', file, '-e', join(directory, 'error.log')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (child.pid === undefined) throw new Error(`${program} does not start`)
  return child.pid
}

export const nginxVersion = (): string =>
  // nginx prints its version on stderr.
  execFileSync('sh', ['-c', `${program} -v 2>&1`], { encoding: 'utf8' })
    .trim()
    .replace('nginx version: ', '')

function install(): void {
  if (process.getuid?.() !== 0)
    throw new Error(`nginx is the yardstick and is not installed. Type: ${installLine}`)
  console.error('installing nginx-light ...')
  try {
    withoutServices(() => aptGet('install', '-y', '--no-install-recommends', 'nginx-light'))
  } catch {
    withoutServices(() => {
      aptGet('update')
      aptGet('install', '-y', '--no-install-recommends', 'nginx-light')
    })
  }
  if (!existsSync(program)) throw new Error(`nginx-light could not be installed. Type: ${installLine}`)
}

function aptGet(...args: string[]): void {
  // Everything apt says goes to stderr; stdout belongs to the results.
  execFileSync('apt-get', args, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}

/** The package would start nginx on port 80 of every interface; invoke-rc.d(8) asks this file first. */
function withoutServices(work: () => void): void {
  const policy = '/usr/sbin/policy-rc.d'
  const isOurs = !existsSync(policy)
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    work()
  } finally {
    if (isOurs) rmSync(policy)
  }
}
