import { defineConfig } from 'vite';

// The tag for other shops' pages, clients/browser, as one classic script beside the web app.
export default defineConfig({
  publicDir: false,
  build: {
    emptyOutDir: false,
    target: 'es2022',
    lib: {
      entry: '../clients/browser/src/cartwheel.ts',
      formats: ['iife'],
      name: 'cartwheelTag',
      fileName: () => 'cartwheel.js',
    },
  },
});
