// The one program that bin/runtime is: every command, compiled ahead of time together with the runtime that it needs.
// The keeper's executable calls it with the command's name as the first argument.

const name = process.argv.splice(2, 1)[0];

switch (name) {
  case "crank":
    await import("./crank.ts");
    break;
  case "crankctl":
    await import("./crankctl.ts");
    break;
  case "crankx":
    await import("./crankx.ts");
    break;
  default:
    process.stderr.write("This is the runtime of crank; call crank, crankctl or crankx instead.\n");
    process.exit(2);
}

export {};
