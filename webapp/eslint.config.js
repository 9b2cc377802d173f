import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default defineConfig(
  // schema.d.ts is generated from openapi.json.
  globalIgnores(['dist', 'src/lib/schema.d.ts']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  { rules: { eqeqeq: ['error', 'always', { null: 'ignore' }] } },
  {
    files: ['src/**/*.ts', 'src/**/*.svelte'],
    extends: [ts.configs.strictTypeChecked, svelte.configs.recommended],
    languageOptions: {
      globals: globals.browser,
      parserOptions: {
        projectService: true,
        extraFileExtensions: ['.svelte'],
        parser: ts.parser,
        svelteConfig,
      },
    },
    rules: {
      // An arrow function may return the nothing that it calls for.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // `void name` makes an effect depend on a name.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // A flag may change during an `await`; TypeScript does not see that.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // State is `$state.raw` over values that do not change in place.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  {
    // svelte-check checks the types of templates; ESLint sees `any` in some of them.
    files: ['src/**/*.svelte'],
    rules: Object.fromEntries(
      ['argument', 'assignment', 'call', 'member-access', 'return'].map((what) => [
        `@typescript-eslint/no-unsafe-${what}`,
        'off',
      ]),
    ),
  },
  {
    // A stand-in for an asynchronous function need not wait for anything.
    files: ['src/**/*.test.ts'],
    rules: { '@typescript-eslint/require-await': 'off' },
  },
  {
    // The end-to-end tests pass functions to the browser.
    files: ['*.js', 'e2e/**/*.mjs', 'src/**/*.mjs'],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
  },
);
