// docs/how-to/node.md, as written, under load: each of its applications.
import { join } from "node:path";
import { ROOT } from "../e2e/harness/bench.ts";
import { testRecipe } from "./recipe.ts";

const PACKAGES = join(ROOT, "build/node-apps/node_modules");

for (const deployed of ["server.mjs", "fastify.mjs", "websockets.mjs"])
  testRecipe({
    page: "../node",
    needs: { "make node-apps": `test -d ${PACKAGES}/express` },
    slowPath: "/slow",
    packages: PACKAGES,
    program: { shown: "server.mjs", deployed },
  });
