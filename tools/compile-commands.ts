// Prints compile_commands.json (clang.llvm.org/docs/JSONCompilationDatabase.html). Arguments: a compiler with its
// flags, "--", the files that it compiles, "--", and so on.
const groups: string[][] = [[]];
for (const argument of process.argv.slice(2)) {
  if (argument === "--") groups.push([]);
  else groups.at(-1)?.push(argument);
}

const entries = groups.flatMap((flags, index) => {
  if (index % 2 === 1) return [];
  const files = groups[index + 1] ?? [];
  return files.map((file) => ({ directory: process.cwd(), file, arguments: [...flags, "-c", file] }));
});

console.log(JSON.stringify(entries, null, 2));
