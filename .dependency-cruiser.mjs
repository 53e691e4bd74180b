/**
 * Who may import whom.
 *
 * Run through infra/checks/layers.mjs, which also makes sure that every source file was looked at.
 * Type-only imports count too: a layer that names another's types depends on it.
 */

/**
 * The layers of core/src and what each may import besides its own files. Files beside the layers
 * (core/src/error.ts, core/src/mls/treeMath.ts, …) are layers of their own.
 */
const coreLayers = {
  error: [],
  lane: [],
  runtime: [],
  codec: [],
  wire: ['codec'],
  'crypto/cryptoError': [],
  // The labelled structs that are hashed and signed (RFC 9420 §5.1.2, §5.2) are wire formats.
  'crypto/public': ['codec', 'wire', 'crypto/cryptoError'],
  'crypto/secret': ['codec', 'wire', 'crypto/cryptoError', 'crypto/public'],
  'mls/treeMath': ['wire'],
  'mls/mlsError': [],
  'mls/treesync': ['codec', 'wire', 'crypto/public', 'mls/treeMath', 'mls/mlsError'],
  // What can be checked without secrets: the keyserver's half of MLS.
  'mls/public': ['codec', 'wire', 'crypto/public', 'mls/treeMath', 'mls/mlsError', 'mls/treesync'],
  // TreeKEM and TreeDEM never import each other.
  'mls/treekem': ['mls/public', 'crypto/secret', ...publicHalf()],
  'mls/treedem': ['mls/public', 'crypto/secret', ...publicHalf()],
  // What an application's components may do with a group: draft-ietf-mls-extensions.
  'mls/application': ['mls/public', 'crypto/secret', 'mls/treedem', ...publicHalf()],
  'mls/bootstrap': [
    'mls/public',
    'crypto/secret',
    'mls/treekem',
    'mls/treedem',
    'mls/application',
    ...publicHalf(),
  ],
  'mls/group': [
    'mls/application',
    'mls/public',
    'crypto/secret',
    'mls/treekem',
    'mls/treedem',
    'mls/bootstrap',
    ...publicHalf(),
  ],
  // The whole of MLS under one name, for those who use it without meetings.
  'mls/index': [
    'codec',
    'wire',
    'crypto/secret',
    'crypto/public',
    'mls/public',
    'mls/bootstrap',
    'mls/group',
  ],
  // Frames know keys by KID alone and are tested without MLS.
  sframe: ['codec', 'crypto/cryptoError', 'crypto/public', 'crypto/secret'],
  // Conclave's conventions for a group: extensions, tickets, admission rules.
  meeting: ['codec', 'wire', 'crypto/public', 'mls/public', 'mls/treesync'],
  // Who a leaf belongs to: X.509 chains, and rules for a group's policy to be composed of.
  credentials: ['codec', 'wire', 'crypto/public', 'mls/public'],
  // A token of a meeting is good for its rooms.
  'meeting/roomId': [],
  access: ['codec', 'meeting/roomId'],
  delivery: ['codec', 'wire', 'meeting', 'crypto/public'],
  mediaSignalling: ['codec', 'wire'],
}

/** What everything above treesync shares. */
function publicHalf() {
  return [
    'codec',
    'wire',
    'crypto/cryptoError',
    'crypto/public',
    'mls/treeMath',
    'mls/mlsError',
    'mls/treesync',
  ]
}

/** What every layer may import: small files that import nothing themselves. */
const everywhere = ['error', 'lane', 'runtime']

/** Matches a layer's folder, or the file of that name. @param {readonly string[]} layers */
function inCore(layers) {
  return `^core/src/(${layers.join('|')})(/|[.]ts$)`
}

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
const coreLayerRules = Object.entries(coreLayers).map(([layer, allowed]) => ({
  name: `core-${layer.replace('/', '-')}`,
  comment: `core/src/${layer} may import only: ${[...allowed, ...everywhere].join(', ')}`,
  severity: 'error',
  from: { path: inCore([layer]) },
  to: { path: '^core/src/', pathNot: inCore([layer, ...allowed, ...everywhere]) },
}))

/** What a server may reach of core: nothing that handles a group's or a frame's secrets. */
const groupSecrets = '^core/src/(mls/(treekem|treedem|application|bootstrap|group)|sframe)/'
const keyserverSigner = '^keyserver/src/removalSigner[.]ts$'
// What signing with the keyserver's own key needs of crypto/secret.
const signing = '^core/src/crypto/secret/(sign|secret)[.]ts$'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...coreLayerRules,
    {
      name: 'core-unknown-layer',
      comment: 'a new folder of core/src belongs into coreLayers, with what it may import',
      severity: 'error',
      from: {
        path: '^core/src/',
        pathNot: [inCore(Object.keys(coreLayers)), '^core/src/index[.]ts$'],
      },
      to: {},
    },
    {
      name: 'core-no-io',
      comment: 'core runs in browsers and Node and does no I/O; crypto may come from node:crypto',
      severity: 'error',
      from: { path: '^core/src/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'core-crypto-libraries',
      comment: 'primitives enter core through crypto/, sframe/ and access/ alone',
      severity: 'error',
      from: { path: '^core/src/', pathNot: '^core/src/(crypto|sframe|access|credentials)/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'] },
    },
    {
      name: 'core-node-apart',
      comment: 'what browsers run imports nothing of Node’s: that is in the folders named node',
      severity: 'error',
      from: { path: '^core/src/', pathNot: '^core/src/.*/node/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-node-unreached',
      comment: 'no file that browsers run reaches a folder named node',
      severity: 'error',
      from: { path: '^core/src/', pathNot: '^core/src/.*/node/' },
      to: { path: '^core/src/.*/node/' },
    },
    {
      name: 'core-certificate-reader',
      comment: 'credentials reads certificates with @peculiar/asn1-x509, and imports nothing else',
      severity: 'error',
      from: { path: '^core/src/credentials/' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'],
        pathNot: '(^|/)node_modules/@peculiar/asn1-(schema|x509)/',
      },
    },
    {
      name: 'core-imports-no-package',
      severity: 'error',
      from: { path: '^core/src/' },
      to: { path: '^(client-sdk|keyserver|sfu|examples|infra)/' },
    },
    {
      name: 'client-imports-core-only',
      severity: 'error',
      from: { path: '^client-sdk/src/' },
      to: { path: '^(keyserver|sfu|examples|infra)/' },
    },
    {
      name: 'client-node-apart',
      comment: 'what browsers run imports nothing of Node’s: that is @conclave/client/node alone',
      severity: 'error',
      from: { path: '^client-sdk/src/', pathNot: '^client-sdk/src/node/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'client-node-unreached',
      comment: 'no file that browsers run reaches @conclave/client/node',
      severity: 'error',
      from: { path: '^client-sdk/src/', pathNot: '^client-sdk/src/node/' },
      to: { path: '^client-sdk/src/node/' },
    },
    {
      name: 'keyserver-imports-core-only',
      severity: 'error',
      from: { path: '^keyserver/src/' },
      to: { path: '^(client-sdk|sfu|examples|infra)/' },
    },
    {
      name: 'sfu-imports-core-only',
      severity: 'error',
      from: { path: '^sfu/src/' },
      to: { path: '^(client-sdk|keyserver|examples|infra)/' },
    },
    {
      name: 'keyserver-core-parts',
      comment:
        'the keyserver follows groups from outside; its one signature is made by removalSigner.ts',
      severity: 'error',
      from: { path: '^keyserver/src/' },
      to: {
        path: '^core/src/',
        pathNot: inCore([
          'index',
          'error',
          'runtime',
          'codec',
          'wire',
          'crypto/public',
          'mls/treeMath',
          'mls/treesync',
          'mls/public',
          'meeting',
          'access',
          'delivery',
        ]).concat(`|^core/src/crypto/secret/`),
      },
    },
    {
      name: 'core-root-reaches-no-secrets',
      comment: 'both servers import the root of core; whoever needs secrets names their folder',
      severity: 'error',
      from: { path: '^core/src/index[.]ts$' },
      to: { reachable: true, path: [groupSecrets, '^core/src/crypto/secret/'] },
    },
    {
      name: 'keyserver-one-signer',
      comment: 'removalSigner.ts alone may sign, with the key that may propose Remove only',
      severity: 'error',
      from: { path: '^keyserver/src/', pathNot: keyserverSigner },
      to: { path: '^core/src/crypto/secret/' },
    },
    {
      name: 'keyserver-reaches-no-secrets',
      comment: 'no file that handles a group’s secrets is reachable from the keyserver',
      severity: 'error',
      from: { path: '^keyserver/src/' },
      to: { reachable: true, path: [groupSecrets, '^core/src/crypto/secret/'], pathNot: signing },
    },
    {
      name: 'sfu-reaches-no-secrets',
      comment: 'no file that handles secrets is reachable from the SFU',
      severity: 'error',
      from: { path: '^sfu/src/' },
      to: { reachable: true, path: [groupSecrets, '^core/src/crypto/secret/'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved-import',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-package',
      comment: 'a package that is imported is in the importing workspace’s dependencies',
      severity: 'error',
      from: { path: '/src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
    {
      name: 'no-tests-in-sources',
      severity: 'error',
      from: { path: '/src/' },
      to: { path: '/test/' },
    },
  ],
  options: {
    // Each workspace's own package.json decides what it may import.
    combinedDependencies: false,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      // Follows imports between packages to their sources.
      conditionNames: ['conclave:source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.mts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
    },
  },
}
