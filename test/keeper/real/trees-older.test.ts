// The tests of trees.test.ts, with a keeper that finds processes as on a kernel that lists no children.
import { resolve } from "node:path";

process.env.CRANK_KEEPER = resolve(import.meta.dir, "../../../build/crank-older-stand-in");
await import("./trees.test.ts");
