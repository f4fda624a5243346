// Commands that do not pass crank's sockets on, and what is run or advised instead.
import { describe, expect, test } from "bun:test";
import { judgeCommand, type Manifest } from "../../src/commands/crankctl/deploy/launchers.ts";

const MANIFEST: Manifest = {
  scripts: {
    start: "node server.js",
    production: "NODE_ENV=production node --enable-source-maps dist/server.js",
    cross: "cross-env NODE_ENV=production node server.js",
    again: "npm run production",
    typescript: "tsx src/server.ts",
    next: "next start -p 3000",
    shell: "node build.js && node server.js",
    build: "node build.js",
    preserve: "node prepare.js",
    serve: "node server.js",
    loop: "npm run loop",
    watch: "nodemon server.js",
  },
  hasServer: true,
};

const judged = (text: string, manifest: Manifest | null = MANIFEST) => judgeCommand(text.split(" "), manifest);

describe("a script that is a plain command is replaced by it:", () => {
  test.each([
    ["npm start", "node server.js"],
    ["/usr/bin/npm start", "node server.js"],
    ["npm --silent start", "node server.js"],
    ["npm run start -- --port 3000", "node server.js --port 3000"],
    ["npm run-script build", "node build.js"],
    ["pnpm start", "node server.js"],
    ["pnpm build", "node build.js"],
    ["yarn start", "node server.js"],
    ["yarn build", "node build.js"],
    ["bun run start", "node server.js"],
    ["node --run start", "node server.js"],
    ["npm run production", "env NODE_ENV=production node --enable-source-maps dist/server.js"],
    ["npm run cross", "env NODE_ENV=production node server.js"],
    ["npm run again", "env NODE_ENV=production node --enable-source-maps dist/server.js"],
    ["cross-env A=1 B=2 node server.js", "env A=1 B=2 node server.js"],
    ["env A=1 npm run production", "env A=1 NODE_ENV=production node --enable-source-maps dist/server.js"],
  ])("%s", (typed, command) => {
    expect(judged(typed)).toMatchObject({ kind: "replace", command: command.split(" ") });
  });

  test("npm start without a script, next to a server.js", () => {
    const empty = { scripts: {}, hasServer: true };
    expect(judged("npm start", empty)).toMatchObject({ kind: "replace", command: ["node", "server.js"] });
    expect(judged("npm start", { ...empty, hasServer: false })).toMatchObject({ kind: "refuse" });
  });
});

describe("another command that does not pass the sockets on is refused with advice:", () => {
  test.each([
    ["npm run typescript", "npm run typescript", "node --import tsx src/server.ts."],
    ["npm run next", "npm run next", "node_modules/.bin/next start -p 3000."],
    ["npm run shell", "npm run shell", "Its script is for a shell (node build.js && node server.js)."],
    [
      "npm run serve",
      "npm run serve",
      "It runs preserve first: do that before the deploy, and then crankctl run -- node server.js.",
    ],
    ["npm run watch", "npm run watch", "node server.js."],
    ["npm run loop", "npm run loop", "Run the program itself."],
    ["npm run missing", "npm run missing", "crankctl run -- node FILE."],
    ["npx tsx server.ts", "npx tsx", "node --import tsx server.ts."],
    ["npx node server.js", "npx node", "node server.js."],
    ["npx -y next start", "npx", "node_modules/.bin/next start."],
    ["npm exec -- next start", "npm exec", "node_modules/.bin/next start."],
    ["pnpm exec node server.js", "pnpm exec", "node server.js."],
    ["bunx next start", "bunx next", "node_modules/.bin/next start."],
    ["tsx server.ts", "tsx", "node --import tsx server.ts."],
    ["node_modules/.bin/tsx --env-file=.env server.ts", "tsx", "node --import tsx --env-file=.env server.ts."],
    ["tsx watch server.ts", "tsx watch", "node --import tsx server.ts."],
    ["nodemon server.js", "nodemon", "node server.js."],
    ["node --watch server.js", "node --watch", "node server.js."],
    ["pm2-runtime start app.js", "pm2-runtime start", "node FILE."],
    ["dotenv -- node server.js", "dotenv", "node --env-file=.env FILE."],
  ])("%s", (typed, launcher, advice) => {
    const verdict = judged(typed);
    expect(verdict.kind).toBe("refuse");
    if (verdict.kind !== "refuse") return;
    expect(verdict.launcher.startsWith(launcher)).toBe(true);
    expect(verdict.advice.endsWith(advice) || verdict.advice.startsWith(advice)).toBe(true);
  });

  test("scripts of an unreadable package.json", () => {
    expect(judged("npm start", null)).toMatchObject({
      kind: "refuse",
      why: "npm closes the sockets on the way to the program.",
    });
  });
});

test.each([
  "node server.js",
  "node --import tsx server.ts",
  "node --import crank/register server.js",
  "env A=1 node server.js",
  "env -i node server.js",
  "bun server.ts",
  "bun run server.ts",
  "./npm-like start",
  "npm",
  "sh -c npm start",
  "node_modules/.bin/next start",
])("%s is run unchanged", (typed) => {
  expect(judged(typed)).toEqual({ kind: "run", command: typed.split(" ") });
});
