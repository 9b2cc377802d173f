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
      // Arrow functions may return the result of a void call.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // `void x` makes an effect depend on `x`.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // TypeScript does not know that a flag may change during an `await`.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // State holds immutable values in `$state.raw`.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  {
    // ESLint sees `any` in some templates. svelte-check checks their types.
    files: ['src/**/*.svelte'],
    rules: Object.fromEntries(
      ['argument', 'assignment', 'call', 'member-access', 'return'].map((use) => [
        `@typescript-eslint/no-unsafe-${use}`,
        'off',
      ]),
    ),
  },
  {
    // A fake of an asynchronous function may have nothing to await.
    files: ['src/**/*.test.ts'],
    rules: { '@typescript-eslint/require-await': 'off' },
  },
  {
    // The end-to-end tests pass functions to the browser.
    files: ['*.js', 'e2e/**/*.mjs', 'src/**/*.mjs'],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
  },
);
