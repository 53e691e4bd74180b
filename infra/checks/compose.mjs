import { globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { parseDocument } from 'yaml'
import { commandOf, environmentOf, stagesOf } from './dockerfile.mjs'
import { dockerfileProblems } from './dockerfileProblems.mjs'

/**
 * Whether the compose file and what it refers to fit together. Without a Docker engine this is what
 * stands between a typing mistake and whoever starts it.
 *
 * @typedef {{
 *   compose: string,
 *   environment: string,
 *   caddyfile: string,
 *   ignored: string,
 *   dockerfiles: Readonly<Record<string, string>>,
 * }} Deployment the texts of the files, Dockerfiles by path
 *
 * @typedef {{
 *   build?: { context: string, dockerfile: string },
 *   image?: string,
 *   depends_on?: Record<string, { condition: string }>,
 *   environment?: Record<string, string>,
 *   healthcheck?: { test: string[] },
 *   networks?: string[],
 *   volumes?: string[],
 *   ports?: string[],
 *   command?: string[],
 *   user?: string,
 *   restart?: string,
 *   read_only?: boolean,
 *   cap_drop?: string[],
 *   cap_add?: string[],
 *   privileged?: boolean,
 *   security_opt?: string[],
 *   pids_limit?: number,
 *   mem_limit?: string,
 *   logging?: { options?: Record<string, string> },
 * }} Service
 *
 * @typedef {{
 *   services: Record<string, Service>,
 *   networks: Record<string, { internal?: boolean } | null>,
 *   volumes: Record<string, unknown>,
 * }} Compose
 */

const containers = 'infra/containers'

/** Published on the host; everything else is reached through them. */
const published = ['proxy', 'sfu']

/** @param {string} repository @returns {Deployment} */
export function readDeployment(repository) {
  const read = (/** @type {string} */ path) => readFileSync(join(repository, path), 'utf8')
  const paths = readdirSync(join(repository, containers))
    .filter((name) => name.endsWith('.Dockerfile'))
    .map((name) => `${containers}/${name}`)
  return {
    compose: read('docker-compose.yml'),
    environment: read(`${containers}/example.env`),
    caddyfile: read(`${containers}/Caddyfile`),
    ignored: read('.dockerignore'),
    dockerfiles: Object.fromEntries(paths.map((path) => [path, read(path)])),
  }
}

/**
 * @param {string} repository
 * @param {Deployment} [deployment]
 * @returns {string[]} what is wrong, one line each; empty when nothing is
 */
export function deploymentProblems(repository, deployment = readDeployment(repository)) {
  const document = parseDocument(deployment.compose, { merge: true })
  if (document.errors.length > 0) return document.errors.map(({ message }) => message)
  const invalid = schemaErrors(repository, document.toJS())
  if (invalid.length > 0) return invalid

  /** @type {Compose} */
  const compose = document.toJS()
  return [
    ...Object.entries(compose.services).flatMap(([name, service]) => [
      ...referenceProblems(compose, name, service, deployment),
      ...hardeningProblems(name, service, deployment),
      ...variableProblems(repository, name, service, deployment),
    ]),
    ...exampleProblems(deployment),
    ...redisProblems(compose),
    ...proxyProblems(compose, deployment),
    ...Object.entries(deployment.dockerfiles).flatMap(([path, text]) =>
      dockerfileProblems(repository, path, text, deployment.ignored),
    ),
  ]
}

/** Validators by the file of their schema. @type {Map<string, import('ajv').ValidateFunction>} */
const validators = new Map()

/** @param {string} path */
function validatorOf(path) {
  const known = validators.get(path)
  if (known !== undefined) return known
  // Written for an older dialect: draft 4's `id` names nothing that is referred to.
  const schema = JSON.parse(readFileSync(path, 'utf8'), (key, value) =>
    key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  )
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false })
  const validate = ajv.compile(schema)
  validators.set(path, validate)
  return validate
}

/** @param {string} repository @param {unknown} compose */
function schemaErrors(repository, compose) {
  const validate = validatorOf(join(repository, containers, 'schema', 'composeSpec.json'))
  if (validate(compose)) return []
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    `docker-compose.yml ${instancePath}: ${message} ${JSON.stringify(params)}`.trim(),
  )
}

/**
 * @param {Compose} compose
 * @param {string} name
 * @param {Service} service
 * @param {Deployment} deployment
 */
function referenceProblems(compose, name, service, deployment) {
  const problems = []
  for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
    const needed = compose.services[other]
    if (needed === undefined) problems.push(`${name} depends on ${other}, which is no service`)
    else if (condition === 'service_healthy' && healthcheckOf(needed, deployment).length === 0) {
      problems.push(`${name} waits until ${other} is healthy, which has no health check`)
    }
  }
  for (const network of service.networks ?? []) {
    if (!(network in compose.networks)) problems.push(`${name}: no network ${network}`)
  }
  for (const volume of service.volumes ?? []) {
    const [source = ''] = volume.split(':')
    if (!(source in compose.volumes)) problems.push(`${name}: no volume ${source}`)
  }
  if (service.build !== undefined && dockerfileOf(service, deployment) === undefined) {
    problems.push(`${name}: no file ${service.build.dockerfile}`)
  }
  return problems
}

/**
 * @param {string} name
 * @param {Service} service
 * @param {Deployment} deployment
 */
function hardeningProblems(name, service, deployment) {
  const stages = stagesOf(dockerfileOf(service, deployment) ?? '')
  const user =
    service.user ??
    stages
      .at(-1)
      ?.instructions.filter(({ keyword }) => keyword === 'USER')
      .at(-1)?.text
  /** @type {[boolean, string][]} */
  const rules = [
    [service.read_only === true, 'its root file system can be written (read_only)'],
    [service.cap_drop?.includes('ALL') === true, 'it keeps capabilities (cap_drop)'],
    [service.cap_add === undefined && service.privileged !== true, 'it gets capabilities'],
    [
      service.security_opt?.includes('no-new-privileges:true') === true,
      'it can gain privileges (security_opt)',
    ],
    [user !== undefined && !/^(root|0)(:|$)/.test(user), 'it runs as root (USER)'],
    [service.restart === 'unless-stopped', 'it is not restarted (restart)'],
    [service.logging?.options?.['max-size'] !== undefined, 'its log can fill the disk (logging)'],
    [service.mem_limit !== undefined, 'its memory has no limit (mem_limit)'],
    [service.pids_limit !== undefined, 'its processes have no limit (pids_limit)'],
    [healthcheckOf(service, deployment).length > 0, 'nobody sees whether it works (HEALTHCHECK)'],
    [service.ports === undefined || published.includes(name), 'it is published (ports)'],
  ]
  return rules.filter(([holds]) => !holds).map(([, problem]) => `${name}: ${problem}`)
}

/**
 * What a service is given must be something that its program reads.
 *
 * @param {string} repository
 * @param {string} name
 * @param {Service} service
 * @param {Deployment} deployment
 */
function variableProblems(repository, name, service, deployment) {
  const text = dockerfileOf(service, deployment)
  if (text === undefined) return []
  const instructions = stagesOf(text).at(-1)?.instructions ?? []
  const folder = commandOf(instructions, 'CMD')
    .find((word) => word.includes('/dist/'))
    ?.split('/dist/', 1)[0]
  const known = folder === undefined ? caddyVariables(deployment) : variablesOf(repository, folder)
  const ours = Object.keys(environmentOf(instructions)).filter((key) =>
    /^(CONCLAVE|SFU)_/.test(key),
  )
  return [...ours, ...Object.keys(service.environment ?? {})]
    .filter((key) => !known.has(key))
    .map((key) => `${name}: its program reads no variable ${key}`)
}

/** The variables that a package's programs name. @param {string} repository @param {string} folder */
function variablesOf(repository, folder) {
  const files = globSync(`${folder}/src/{configuration,edge/**/*}.ts`, { cwd: repository })
  const sources = files.map((file) => readFileSync(join(repository, file), 'utf8')).join('\n')
  return new Set([...sources.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map(([, key]) => key))
}

/** @param {Deployment} deployment */
function caddyVariables({ caddyfile }) {
  return new Set([...caddyfile.matchAll(/\{\$([A-Z0-9_]+)\}/g)].map(([, key]) => key))
}

/** The compose file's variables are those of the example, no more and no fewer. @param {Deployment} deployment */
function exampleProblems({ compose, environment }) {
  const used = new Set([...compose.matchAll(/\$\{([A-Z0-9_]+)/g)].map(([, key]) => key ?? ''))
  const given = new Set([...environment.matchAll(/^([A-Z0-9_]+)=/gm)].map(([, key]) => key ?? ''))
  return [
    ...[...used].filter((key) => !given.has(key)).map((key) => `example.env: no ${key}`),
    ...[...given].filter((key) => !used.has(key)).map((key) => `example.env: ${key} is not used`),
  ]
}

/** Durable, never evicting, and within reach of keyservers alone. @param {Compose} compose */
function redisProblems({ services, networks }) {
  const { command = [], networks: joined = [] } = services['redis'] ?? {}
  const problems = []
  for (const [option, value] of [
    ['--appendonly', 'yes'],
    ['--appendfsync', 'always'],
    ['--maxmemory-policy', 'noeviction'],
  ]) {
    if (command[command.indexOf(option ?? '') + 1] !== value || !command.includes(option ?? '')) {
      problems.push(`redis: it loses what was acknowledged without ${option} ${value}`)
    }
  }
  for (const network of joined) {
    if (networks[network]?.internal !== true) problems.push(`redis: ${network} is not internal`)
    for (const [name, service] of Object.entries(services)) {
      const may = name === 'redis' || service.environment?.['REDIS_URL'] !== undefined
      if (!may && service.networks?.includes(network)) problems.push(`${name} reaches redis`)
    }
  }
  return problems
}

/**
 * What the proxy passes requests to is there, within its reach, and listens on that port.
 *
 * @param {Compose} compose
 * @param {Deployment} deployment
 */
function proxyProblems({ services }, deployment) {
  const proxy = services['proxy']
  const problems = [...caddyVariables(deployment)]
    .filter((key) => proxy?.environment?.[key ?? ''] === undefined)
    .map((key) => `proxy: the Caddyfile reads ${key}, which it is not given`)
  const upstreams = Object.values(proxy?.environment ?? {}).flatMap((value) =>
    [...value.matchAll(/([a-z][\w-]*):(\d+)/g)].map(([, name = '', port = '']) => ({ name, port })),
  )
  for (const { name, port } of upstreams) {
    const service = services[name]
    if (service === undefined) problems.push(`proxy: ${name} is no service`)
    else {
      const shared = service.networks?.some((network) => proxy?.networks?.includes(network))
      if (!shared) problems.push(`proxy: ${name} is on none of its networks`)
      const exposed = new RegExp(`^EXPOSE (?:.* )?${port}(?: |$)`, 'm')
      if (!exposed.test(dockerfileOf(service, deployment) ?? '')) {
        problems.push(`proxy: ${name} does not listen on ${port}`)
      }
    }
  }
  for (const [name, service] of Object.entries(services)) {
    if (service.environment?.['REDIS_URL'] === undefined) continue
    if (!upstreams.some((upstream) => upstream.name === name)) {
      problems.push(`proxy: it passes nothing to ${name}`)
    }
  }
  return problems
}

/**
 * @param {Service} service
 * @param {Deployment} deployment
 * @returns {string[]} the command; empty when there is none
 */
function healthcheckOf(service, deployment) {
  if (service.healthcheck !== undefined) return service.healthcheck.test
  const instructions = stagesOf(dockerfileOf(service, deployment) ?? '').at(-1)?.instructions ?? []
  return commandOf(instructions, 'HEALTHCHECK')
}

/** @param {Service} service @param {Deployment} deployment */
function dockerfileOf({ build }, { dockerfiles }) {
  return build === undefined ? undefined : dockerfiles[build.dockerfile]
}
