/** Imports point one way: the layers of the house, top to bottom. A folder may import folders of lower layers and itself. */
const layers = [
  ['commands'],
  ['plugin-host', 'container'],
  ['hook'],
  ['offload'],
  ['scheduling'],
  ['machines', 'config'],
  ['remote-store', 'local-store'],
  ['state'],
  ['protocol', 'nar', 'trust', 'scheme'],
  ['wire', 'errors'],
]
const sansIo = '^src/(wire|nar|protocol|trust|scheme)/'

const downOnly = layers.flatMap((layer, depth) => {
  const above = layers.slice(0, depth).flat()
  return above.length === 0
    ? []
    : [{
        name: `down-only-${layer.join('-')}`,
        comment: `src/${layer.join(', src/')} must not import the layers above: ${above.join(', ')}.`,
        severity: 'error',
        from: { path: `^src/(${layer.join('|')})/` },
        to: { path: `^src/(${above.join('|')})/` },
      }]
})

/** A package that plugins of one kind share, and the others do not import. */
const sharedBy = (kind, common) => ({
  name: `common-of-${kind}s`,
  comment: `${common} is what plugins named ${kind}-… share, and nobody else.`,
  severity: 'error',
  from: { path: `^plugins/(?!${kind}-)([^/]+)/` },
  to: { path: `^plugins/${common}/`, pathNot: '^plugins/$1/' },
})

module.exports = {
  forbidden: [
    ...downOnly,
    { name: 'no-cycles', comment: 'Two modules that need each other are one module, or miss a third.', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'sans-io',
      comment: 'wire, nar, protocol, trust and scheme take bytes, strings and async iterables; sockets, files and processes live above them.',
      severity: 'error',
      from: { path: sansIo },
      to: { path: '^(node:)?(net|fs|fs/promises|child_process|http|https|tls|dgram|os|process)$' },
    },
    {
      name: 'api-is-types',
      comment: 'The public plugin API is self-contained.',
      severity: 'error',
      from: { path: '^src/plugin-api/', pathNot: '^src/plugin-api/testing/' },
      to: { path: '^src/', pathNot: '^src/plugin-api/(?!testing/)' },
    },
    {
      name: 'testing-apart',
      comment: 'What plugins are tested with is a product of its own, which no part of the program loads; nor vitest, which users of the program do not have.',
      severity: 'error',
      from: { path: '^(src|plugins|bin)/', pathNot: '^src/plugin-api/testing/' },
      to: { path: ['^src/plugin-api/testing/', '(^|/)vitest(/|$)'] },
    },
    {
      name: 'testing-needs-little',
      comment: 'Of the program it needs the errors alone, so that they are those that users see.',
      severity: 'error',
      from: { path: '^src/plugin-api/testing/' },
      to: { path: '^src/', pathNot: '^src/(plugin-api|errors)/' },
    },
    { name: 'tsyringe-in-container', comment: 'Injection lives in src/container alone.', severity: 'error', from: { path: '^(src|plugins)/', pathNot: '^src/container/' }, to: { path: '(tsyringe|reflect-metadata)' } },
    {
      name: 'plugins-import-types-only',
      comment: 'A bundled plugin looks exactly like a third party\'s: it imports nothing of ours but the types of guix-offload/plugin-api.',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/' },
      to: { path: '^src/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'plugins-apart',
      comment: 'Plugins do not import each other, but what is made for sharing.',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/' },
      to: { path: '^plugins/', pathNot: '^plugins/($1|scheduler-common|ssh-common)/' },
    },
    sharedBy('transport', 'ssh-common'),
    sharedBy('scheduler', 'scheduler-common'),
    { name: 'no-plugin-names', comment: 'The core does not know its plugins.', severity: 'error', from: { path: '^src/' }, to: { path: '^plugins/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '^plugins/[^/]+/dist/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: `${__dirname}/../test/tsconfig.json` },
    combinedDependencies: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'], extensions: ['.ts', '.js', '.cjs'] },
  },
}
