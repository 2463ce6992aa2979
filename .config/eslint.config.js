import tseslint from 'typescript-eslint'

// House rules as lint rules; the message says what to do instead.
const restricted = [
  { selector: 'TSEnumDeclaration', message: 'No enum: use a union of string literals.' },
  { selector: 'TSNonNullExpression', message: 'No `!`: narrow, or throw an InternalError.' },
]
const noDefault = { selector: 'ExportDefaultDeclaration', message: 'Named exports; a default only where oclif demands it.' }

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', 'test/fixtures/**'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: ['./test/tsconfig.json'], tsconfigRootDir: new URL('..', import.meta.url).pathname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/require-await': 'off',
      'no-restricted-syntax': ['error', ...restricted, noDefault],
      eqeqeq: 'error',
    },
  },
  { files: ['src/commands/**', 'plugins/*/src/contribute.ts', 'plugins/*/src/commands.ts', '.config/**'], rules: { 'no-restricted-syntax': ['error', ...restricted] } },
  {
    // Only commands talk to the terminal; stdout of the hook belongs to guix-daemon.
    files: ['src/**', 'plugins/**'],
    ignores: ['src/commands/**'],
    rules: { 'no-console': 'error' },
  },
  { files: ['**/*.js', '**/*.cjs', '.config/**'], ...tseslint.configs.disableTypeChecked },
  { files: ['**/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
)
