import { defineConfig } from "vite";

// Built into the package, from where the service serves it under /capture/. Nothing is loaded from elsewhere.
export default defineConfig({
  base: "/capture/",
  build: {
    outDir: "../src/samebody/service/capture/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
  },
});
