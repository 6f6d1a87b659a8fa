/** Builds the page of the inspector into dist/inspector/page (npm run build). Nothing of it comes from the network when it runs. */
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/',
  build: {
    outDir: '../dist/inspector/page',
    emptyOutDir: true,
    sourcemap: false,
    // The page holds code of other packages: their licences go with it.
    license: { fileName: 'LICENSES.txt' },
    // The polyfill is an inline script, which the page's security policy refuses.
    modulePreload: { polyfill: false },
    // Nothing is inlined as data: all parts are files of this server.
    assetsInlineLimit: 0,
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
