import { describe, expect, it } from 'vitest'
import { deploymentProblems, readDeployment } from '../checks/compose.mjs'
import { repository } from '../entry/repository.mjs'

const deployment = readDeployment(repository)

describe('the compose file', () => {
  it('keeps the compose specification, and everything it names is there', () => {
    expect(deploymentProblems(repository, deployment)).toEqual([])
  })

  it.each<[string, 'compose' | 'environment' | 'caddyfile', string, string]>([
    ['must NOT have additional properties', 'compose', 'stop_grace_period:', 'stop_grace_perod:'],
    ['/services/page/cpus: must be number', 'compose', 'cpus: 0.5', 'cpus: [1]'],
    ['/services/redis/read_only: must be boolean', 'compose', 'read_only: true', 'read_only: yes!'],
    ['Map keys must be unique', 'compose', '\n  page:', '\n  sfu:'],
    ['sfu depends on proxi, which is no service', 'compose', '      proxy: {', '      proxi: {'],
    ['page: no network server', 'compose', 'networks: [servers]', 'networks: [server]'],
    ['redis: no volume radis', 'compose', "'redis:/data'", "'radis:/data'"],
    ['sfu: no file infra/containers/sfo.Dockerfile', 'compose', '/sfu.Docker', '/sfo.Docker'],
    ['page: it is published', 'compose', '    cpus: 0.5', "    ports: ['3000:3000']"],
    ['redis: its root file system can be written', 'compose', '  read_only: true\n', ''],
    ['redis: it keeps capabilities', 'compose', '  cap_drop: [ALL]\n', ''],
    ['page: it gets capabilities', 'compose', '    cpus: 0.5', '    cap_add: [SYS_ADMIN]'],
    ['redis: it can gain privileges', 'compose', 'no-new-privileges:true', 'label:disable'],
    ['redis: it runs as root', 'compose', '    user: redis\n', ''],
    ['redis: it is not restarted', 'compose', '  restart: unless-stopped\n', ''],
    ['redis: its log can fill the disk', 'compose', 'max-size: 10m, ', ''],
    ['redis: its memory has no limit', 'compose', '    mem_limit: 2g\n    stop', '    stop'],
    ['redis: its processes have no limit', 'compose', '  pids_limit: 256\n', ''],
    ['redis: it loses what was acknowledged', 'compose', '      - always', '      - everysec'],
    ['redis: store is not internal', 'compose', 'store: { internal: true }', 'store:'],
    ['page reaches redis', 'compose', 'networks: [servers]', 'networks: [servers, store]'],
    [
      'page: its program reads no variable PORT',
      'compose',
      '    cpus: 0.5',
      '    environment: { PORT: 1 }',
    ],
    ['sfu: its program reads no variable SFU_PAHT', 'compose', 'SFU_PATH:', 'SFU_PAHT:'],
    ['example.env: no CONCLAVE_DOMAIM', 'compose', '${CONCLAVE_DOMAIN', '${CONCLAVE_DOMAIM'],
    ['example.env: SFU_CORES is not used', 'environment', 'SFU_WORKERS=', 'SFU_CORES='],
    ['proxy: the Caddyfile reads PAGES, which', 'caddyfile', '{$PAGE}', '{$PAGES}'],
    ['proxy: pages is no service', 'compose', 'PAGE: page:', 'PAGE: pages:'],
    ['proxy: page does not listen on 3001', 'compose', 'page:3000', 'page:3001'],
    ['proxy: it passes nothing to keyserver-2', 'compose', ' keyserver-2:4444', ''],
    [
      'proxy: page is on none of its networks',
      'compose',
      'networks: [servers]',
      'networks: [store]',
    ],
  ])('finds a planted fault: %s', (problem, file, original, planted) => {
    expect(deployment[file]).toContain(original)
    const text = deployment[file].replace(original, () => planted)
    expect(deploymentProblems(repository, { ...deployment, [file]: text }).join('\n')).toContain(
      problem,
    )
  })
})

describe('the Dockerfiles', () => {
  it.each<[string, string, string]>([
    ['COPY sfuu: no such file', 'COPY sfu sfu/', 'COPY sfuu sfu/'],
    ['COPY docs: .dockerignore excludes it', 'COPY sfu sfu/', 'COPY docs sfu/'],
    ['no stage biuld', '--from=build /app/sfu', '--from=biuld /app/sfu'],
    ['RUN infra/mediasoup-worker/resolv.mjs: it is not copied', 'resolve.mjs', 'resolv.mjs'],
    [
      'RUN infra/mediasoup-worker/resolve.mjs: it is not copied',
      'COPY infra/mediasoup-worker infra/mediasoup-worker/\n',
      '',
    ],
    [
      'RUN tsc -b examples/party: it is not copied',
      'tsc -b examples/meeting',
      'tsc -b examples/party',
    ],
    ['RUN npm: no workspace @conclave/sfa', '@conclave/sfu', '@conclave/sfa'],
    ['CMD sfu/dist/main.js: it is not in the image', 'sfu/dist/bin.js', 'sfu/dist/main.js'],
    [
      'HEALTHCHECK infra/containers/healthcheck.mjs: it is not in the image',
      'COPY infra/containers/healthcheck.mjs infra/containers/\n',
      '',
    ],
    ['sfu: it runs as root', 'USER node\n', ''],
    ['sfu: nobody sees whether it works', 'HEALTHCHECK --interval', 'LABEL --interval'],
    ['sfu: its program reads no variable SFU_HOTS', 'SFU_HOST=', 'SFU_HOTS='],
  ])('are found wrong by a planted fault: %s', (problem, original, planted) => {
    const path = 'infra/containers/sfu.Dockerfile'
    const text = deployment.dockerfiles[path] ?? ''
    expect(text).toContain(original)
    const dockerfiles = {
      ...deployment.dockerfiles,
      [path]: text.replace(original, () => planted),
    }
    expect(deploymentProblems(repository, { ...deployment, dockerfiles }).join('\n')).toContain(
      problem,
    )
  })
})
