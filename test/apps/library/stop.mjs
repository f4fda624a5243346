// A process that crank/worker tells when to stop, for Node, Bun and Deno. Its argument selects what it does then: end, fail,
// or stay until the file of its second argument exists.
import { existsSync } from "node:fs";
import process from "node:process";
import { onStop } from "crank/worker";

const [manner, path] = process.argv.slice(2);
const holds = setInterval(() => {}, 1000);

onStop(async ({ signal, budgetMs }) => {
  console.log(`stopping for ${signal} within ${budgetMs}`);
  if (manner === "fail") throw new Error("the cupboard is locked");
  while (manner === "stay" && !existsSync(path)) await new Promise((wake) => setTimeout(wake, 10));
  console.log("done");
});
onStop(() => clearInterval(holds));
console.log("running");
