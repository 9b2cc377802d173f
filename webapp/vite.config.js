import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The server sends `Content-Security-Policy: default-src 'self'`, so the page must not
// contain data: URIs, inline scripts or inline styles.
export default defineConfig({
  plugins: [svelte()],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: {
    // `npm run dev` forwards API requests to a cartwheel server.
    proxy: Object.fromEntries(
      ['/submit', '/v1', '/readyz'].map((path) => [
        path,
        process.env.CARTWHEEL_URL ?? 'http://127.0.0.1:8080',
      ]),
    ),
  },
  test: { include: ['src/**/*.test.{ts,mjs}'], environment: 'node' },
});
