import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The server sends `Content-Security-Policy: default-src 'self'`, so nothing may
// be inlined into the page: no data: URIs, no inline script, no inline style.
export default defineConfig({
  plugins: [svelte()],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: {
    // `npm run dev` talks to a cartwheel server on this machine.
    proxy: Object.fromEntries(
      ['/submit', '/v1', '/readyz'].map((path) => [
        path,
        process.env.CARTWHEEL_URL ?? 'http://127.0.0.1:8080',
      ]),
    ),
  },
  test: { include: ['src/**/*.test.{ts,mjs}'], environment: 'node' },
});
